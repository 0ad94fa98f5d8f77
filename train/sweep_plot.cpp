#include "train/sweep_plot.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include "graph/errors.h"
#include "train/svg.h"

namespace kith {
namespace {

constexpr double kWidth = 720, kHeight = 460;
constexpr double kLeft = 70, kRight = 150, kTop = 40, kBottom = 60;

using svg::Axis, svg::fixed, svg::kColors, svg::line, svg::make_axis, svg::text;

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

std::string draw_axes(const Axis& x, const Axis& y) {
  const int digits = x.high - x.low < 0.1 ? 4 : x.high - x.low < 5 ? 2 : 1;
  return svg::grid(x, y, digits, 2) +
         text((x.from + x.to) / 2, kHeight - 16, "middle", "training seconds per epoch (median)") +
         text(kLeft - 55, kTop - 16, "start", "test accuracy, % (points labelled with mix)");
}

std::string draw_series(const std::vector<Point>& points, const Axis& x, const Axis& y,
                        std::string_view color) {
  std::string path;
  std::string marks;
  for (const Point& p : points) {
    path += concat(path.empty() ? "M" : " L", fixed(x(p.seconds), 1), " ", fixed(y(p.accuracy), 1));
    marks += line(x(p.seconds), y(p.accuracy - p.deviation), x(p.seconds), y(p.accuracy + p.deviation), color);
    marks += svg::circle(x(p.seconds), y(p.accuracy), color);
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
  std::string out;
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
  return svg::document(kWidth, kHeight, out);
}

}  // namespace kith
