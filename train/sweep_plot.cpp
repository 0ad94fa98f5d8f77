#include "train/sweep_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <string_view>

#include "graph/errors.h"

namespace kith {
namespace {

constexpr double kWidth = 720, kHeight = 460;
constexpr double kLeft = 70, kRight = 150, kTop = 40, kBottom = 60;
constexpr int kTicks = 5;
constexpr std::array<std::string_view, 6> kColors = {"#1b6ca8", "#d1495b", "#3a7d44",
                                                     "#8d5fa8", "#c9822b", "#4d4d4d"};

/// One (p_intra, mix), over its seeds.
struct Point {
  double mix = 0, seconds = 0, accuracy = 0, deviation = 0;
};

Point average(const std::vector<const SweepCell*>& cells) {
  Point point{.mix = cells.front()->mix};
  const auto n = static_cast<double>(cells.size());
  for (const SweepCell* cell : cells) {
    point.seconds += cell->seconds_per_epoch / n;
    point.accuracy += 100 * cell->test_accuracy / n;
  }
  double squares = 0;
  for (const SweepCell* cell : cells) squares += std::pow(100 * cell->test_accuracy - point.accuracy, 2);
  if (cells.size() > 1) point.deviation = std::sqrt(squares / (n - 1));
  return point;
}

/// Linear map of [low, high] onto pixels.
struct Axis {
  double low, high, from, to;
  double operator()(double value) const { return from + (value - low) / (high - low) * (to - from); }
  double tick(int i) const { return low + (high - low) * i / (kTicks - 1); }
};

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

std::string draw_axes(const Axis& x, const Axis& y) {
  std::string out;
  const int digits = x.high - x.low < 0.1 ? 4 : x.high - x.low < 5 ? 2 : 1;
  for (int i = 0; i < kTicks; ++i) {
    out += line(x(x.tick(i)), y.from, x(x.tick(i)), y.to, "#e6e6e6");
    out += text(x(x.tick(i)), y.from + 18, "middle", fixed(x.tick(i), digits));
    out += line(x.from, y(y.tick(i)), x.to, y(y.tick(i)), "#e6e6e6");
    out += text(x.from - 8, y(y.tick(i)) + 4, "end", fixed(y.tick(i), 2));
  }
  out += text((x.from + x.to) / 2, kHeight - 16, "middle", "training seconds per epoch (median)");
  out += text(kLeft - 55, kTop - 16, "start", "test accuracy, % (points labelled with mix)");
  return out;
}

std::string draw_series(const std::vector<Point>& points, const Axis& x, const Axis& y,
                        std::string_view color) {
  std::string path;
  std::string marks;
  for (const Point& p : points) {
    path += concat(path.empty() ? "M" : " L", fixed(x(p.seconds), 1), " ", fixed(y(p.accuracy), 1));
    marks += line(x(p.seconds), y(p.accuracy - p.deviation), x(p.seconds), y(p.accuracy + p.deviation), color);
    marks += concat("<circle cx=\"", fixed(x(p.seconds), 1), "\" cy=\"", fixed(y(p.accuracy), 1),
                    "\" r=\"4\" fill=\"", color, "\"/>\n");
    marks += text(x(p.seconds) + 6, y(p.accuracy) - 6, "start", concat(p.mix));
  }
  return concat("<path d=\"", path, "\" fill=\"none\" stroke=\"", color, "\" stroke-width=\"1.5\"/>\n", marks);
}

}  // namespace

std::string plot_sweep(const std::vector<SweepCell>& cells) {
  std::map<double, std::map<double, std::vector<const SweepCell*>>> grid;  // p_intra, mix
  for (const SweepCell& cell : cells) grid[cell.p_intra][cell.mix].push_back(&cell);
  std::map<double, std::vector<Point>> series;
  double low_x = HUGE_VAL, high_x = -HUGE_VAL, low_y = HUGE_VAL, high_y = -HUGE_VAL;
  for (const auto& [p_intra, by_mix] : grid) {
    for (const auto& [mix, same] : by_mix) {
      const Point point = average(same);
      series[p_intra].push_back(point);
      low_x = std::min(low_x, point.seconds), high_x = std::max(high_x, point.seconds);
      low_y = std::min(low_y, point.accuracy - point.deviation);
      high_y = std::max(high_y, point.accuracy + point.deviation);
    }
  }
  std::string out = concat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", kWidth, " ", kHeight,
                           "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"", kWidth,
                           "\" height=\"", kHeight, "\" fill=\"#ffffff\"/>\n");
  if (!series.empty()) {
    const Axis x = make_axis(low_x, high_x, kLeft, kWidth - kRight);
    const Axis y = make_axis(low_y, high_y, kHeight - kBottom, kTop);
    out += draw_axes(x, y);
    std::size_t i = 0;
    for (const auto& [p_intra, points] : series) {
      const std::string_view color = kColors[i % kColors.size()];
      out += draw_series(points, x, y, color);
      const double legend_y = kTop + 10 + 20 * static_cast<double>(i++);
      out += line(kWidth - kRight + 20, legend_y - 4, kWidth - kRight + 44, legend_y - 4, color);
      out += text(kWidth - kRight + 50, legend_y, "start", concat("p_intra ", p_intra));
    }
  }
  return out + "</svg>\n";
}

}  // namespace kith
