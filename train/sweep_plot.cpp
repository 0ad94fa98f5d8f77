#include "train/sweep_plot.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "graph/errors.h"
#include "train/svg.h"

namespace kith {
namespace {

constexpr double kWidth = 760, kHeight = 460;  ///< of a panel
constexpr double kLeft = 70, kRight = 190, kTop = 56, kBottom = 60;

using svg::Axis, svg::fixed, svg::kColors, svg::line, svg::make_axis, svg::text;

/// A list by name, in the order in which the names first came.
template <typename T>
class Groups {
 public:
  T& operator[](const std::string& name) {
    const auto found = std::ranges::find(all_, name, &std::pair<std::string, T>::first);
    return found != all_.end() ? found->second : all_.emplace_back(name, T()).second;
  }
  auto begin() const { return all_.begin(); }
  auto end() const { return all_.end(); }
  bool empty() const { return all_.empty(); }

 private:
  std::vector<std::pair<std::string, T>> all_;
};

/// The seeds of one point, by series and label.
using Points = Groups<std::vector<const SweepRow*>>;
using Panel = Groups<Points>;

/// One point, over its seeds.
struct Point {
  std::string label;
  double seconds = 0, accuracy = 0, deviation = 0;
};

struct Series {
  std::string name;
  std::vector<Point> points;
};

std::string series_of(const SweepRun& run) {
  if (run.sampler == "dependency") return concat("dependency ", run.dependency);
  if (run.sampler != "comm-rand" && run.sampler != "cluster") return run.sampler;
  std::string name = run.sampler == "cluster" ? "cluster" : "p_intra " + run.p_intra.name();
  if (run.level != 0) name += concat(", level ", run.level);
  return run.is_unbiased ? name + ", unbiased" : name;
}

Point average(const std::string& label, const std::vector<const SweepRow*>& rows) {
  Point point{.label = label};
  const auto n = static_cast<double>(rows.size());
  for (const SweepRow* row : rows) {
    point.seconds += row->seconds_per_epoch / n;
    point.accuracy += 100 * row->test / n;
  }
  double squares = 0;
  for (const SweepRow* row : rows) squares += std::pow(100 * row->test - point.accuracy, 2);
  if (rows.size() > 1) point.deviation = std::sqrt(squares / (n - 1));
  return point;
}

std::string draw_axes(const Axis& x, const Axis& y, const std::string& title) {
  const int digits = x.high - x.low < 0.1 ? 4 : x.high - x.low < 5 ? 2 : 1;
  return svg::grid(x, y, digits, 2) +
         text((x.from + x.to) / 2, y.from + 44, "middle", "training seconds per epoch (median)") +
         text(kLeft - 55, y.to - 34, "start", title) +
         text(kLeft - 55, y.to - 16, "start", "test accuracy, % (points labelled with mix)");
}

std::string draw_series(const Series& series, const Axis& x, const Axis& y, std::string_view color) {
  std::string path;
  std::string marks;
  for (const Point& p : series.points) {
    path += concat(path.empty() ? "M" : " L", fixed(x(p.seconds), 1), " ", fixed(y(p.accuracy), 1));
    marks += line(x(p.seconds), y(p.accuracy - p.deviation), x(p.seconds), y(p.accuracy + p.deviation), color);
    marks += svg::circle(x(p.seconds), y(p.accuracy), color);
    marks += text(x(p.seconds) + 6, y(p.accuracy) - 6, "start", p.label);
  }
  return concat("<path d=\"", path, "\" fill=\"none\" stroke=\"", color, "\" stroke-width=\"1.5\"/>\n", marks);
}

/// top: of the panel in the picture.
std::string draw_panel(const std::string& title, const Panel& panel, double top) {
  std::vector<Series> all;
  double low_x = HUGE_VAL, high_x = -HUGE_VAL, low_y = HUGE_VAL, high_y = -HUGE_VAL;
  for (const auto& [name, points] : panel) {
    Series& series = all.emplace_back(Series{.name = name, .points = {}});
    for (const auto& [label, rows] : points) {
      const Point& point = series.points.emplace_back(average(label, rows));
      low_x = std::min(low_x, point.seconds), high_x = std::max(high_x, point.seconds);
      low_y = std::min(low_y, point.accuracy - point.deviation);
      high_y = std::max(high_y, point.accuracy + point.deviation);
    }
  }
  const Axis x = make_axis(low_x, high_x, kLeft, kWidth - kRight);
  const Axis y = make_axis(low_y, high_y, top + kHeight - kBottom, top + kTop);
  std::string out = draw_axes(x, y, title);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string_view color = kColors[i % kColors.size()];
    out += draw_series(all[i], x, y, color);
    const double legend_y = top + kTop + 10 + 20 * static_cast<double>(i);
    out += line(kWidth - kRight + 20, legend_y - 4, kWidth - kRight + 44, legend_y - 4, color);
    out += text(kWidth - kRight + 50, legend_y, "start", all[i].name);
  }
  return out;
}

}  // namespace

std::string plot_sweep(const std::vector<SweepRow>& rows) {
  Groups<Panel> panels;
  for (const SweepRow& row : rows) {
    if (!std::isfinite(row.test)) continue;
    const bool is_labelled = row.run.sampler == "comm-rand" || row.run.sampler == "cluster";
    panels[row.run.graph + ", " + row.run.model][series_of(row.run)][is_labelled ? row.run.mix.name() : ""]
        .push_back(&row);
  }
  std::string out;
  double top = 0;
  for (const auto& [title, panel] : panels) {
    out += draw_panel(title, panel, top);
    top += kHeight;
  }
  return svg::document(kWidth, std::max(top, kHeight), out);
}

}  // namespace kith
