#include "train/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "graph/errors.h"

namespace kith::svg {

Axis make_axis(double low, double high, double from, double to) {
  const double pad = high > low ? 0.08 * (high - low) : std::max(std::abs(low) * 0.05, 1e-3);
  return {low - pad, high + pad, from, to};
}

std::string fixed(double value, int digits) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string text(double x, double y, std::string_view anchor, std::string_view words) {
  return concat("<text x=\"", fixed(x, 1), "\" y=\"", fixed(y, 1), "\" text-anchor=\"", anchor, "\">", words,
                "</text>\n");
}

std::string line(double x1, double y1, double x2, double y2, std::string_view color) {
  return concat("<line x1=\"", fixed(x1, 1), "\" y1=\"", fixed(y1, 1), "\" x2=\"", fixed(x2, 1), "\" y2=\"",
                fixed(y2, 1), "\" stroke=\"", color, "\"/>\n");
}

std::string circle(double x, double y, std::string_view color) {
  return concat("<circle cx=\"", fixed(x, 1), "\" cy=\"", fixed(y, 1), "\" r=\"4\" fill=\"", color, "\"/>\n");
}

std::string grid(const Axis& x, const Axis& y, int x_digits, int y_digits) {
  std::string out;
  for (int i = 0; i < kTicks; ++i) {
    out += line(x(x.tick(i)), y.from, x(x.tick(i)), y.to, "#e6e6e6");
    out += text(x(x.tick(i)), y.from + 18, "middle", fixed(x.tick(i), x_digits));
    out += line(x.from, y(y.tick(i)), x.to, y(y.tick(i)), "#e6e6e6");
    out += text(x.from - 8, y(y.tick(i)) + 4, "end", fixed(y.tick(i), y_digits));
  }
  return out;
}

std::string document(double width, double height, const std::string& body) {
  return concat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", width, " ", height,
                "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"", width, "\" height=\"",
                height, "\" fill=\"#ffffff\"/>\n", body, "</svg>\n");
}

}  // namespace kith::svg
