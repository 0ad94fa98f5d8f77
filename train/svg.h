// The few shapes that the project's pictures are drawn with.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace kith::svg {

inline constexpr std::array<std::string_view, 8> kColors = {"#1b6ca8", "#d1495b", "#3a7d44", "#8d5fa8",
                                                            "#c9822b", "#4d4d4d", "#2a9d9d", "#b8577c"};
inline constexpr int kTicks = 5;

/// Linear map of [low, high] onto pixels.
struct Axis {
  double low, high, from, to;
  double operator()(double value) const { return from + (value - low) / (high - low) * (to - from); }
  double tick(int i) const { return low + (high - low) * i / (kTicks - 1); }
};

/// An axis with some room at both ends; low may equal high.
Axis make_axis(double low, double high, double from, double to);

/// `value` with so many digits after the point.
std::string fixed(double value, int digits);

/// anchor: "start", "middle" or "end".
std::string text(double x, double y, std::string_view anchor, std::string_view words);
std::string line(double x1, double y1, double x2, double y2, std::string_view color);
std::string circle(double x, double y, std::string_view color);

/// Lines of a grid with the values of their ticks.
std::string grid(const Axis& x, const Axis& y, int x_digits, int y_digits);

/// The whole picture around `body`, on white.
std::string document(double width, double height, const std::string& body);

}  // namespace kith::svg
