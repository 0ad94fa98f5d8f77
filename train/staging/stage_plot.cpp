// The picture of stage-eval.
#include <algorithm>
#include <functional>
#include <map>
#include <vector>

#include "graph/errors.h"
#include "train/staging/stage_eval.h"
#include "train/svg.h"

namespace kith {
namespace {

constexpr double kWidth = 1040, kHeight = 420;
constexpr double kPanelWidth = 360, kTop = 50, kBottom = 60;
constexpr double kLeftPanel = 80, kRightPanel = 540;

/// A value for each size of the fast tier, by policy.
using Series = std::map<std::string, std::vector<std::pair<double, double>>>;

std::string draw_panel(const Series& series, double left, const char* title, int digits) {
  double low_x = 1e300, high_x = -1e300, low_y = 0, high_y = 0;
  for (const auto& [name, points] : series) {
    for (const auto& [x, y] : points) {
      low_x = std::min(low_x, x);
      high_x = std::max(high_x, x);
      high_y = std::max(high_y, y);
    }
  }
  const svg::Axis x = svg::make_axis(low_x, high_x, left, left + kPanelWidth);
  svg::Axis y = svg::make_axis(low_y, high_y, kHeight - kBottom, kTop);
  y.low = 0;
  std::string out = svg::grid(x, y, 1, digits);
  out += svg::text(left, kTop - 16, "start", title);
  out += svg::text(left + kPanelWidth / 2, kHeight - 16, "middle", "fast tier, % of the feature table");
  std::size_t i = 0;
  for (const auto& [name, points] : series) {
    const std::string_view color = svg::kColors[i++ % svg::kColors.size()];
    for (std::size_t p = 0; p < points.size(); ++p) {
      if (p > 0) {
        out += svg::line(x(points[p - 1].first), y(points[p - 1].second), x(points[p].first),
                         y(points[p].second), color);
      }
      out += svg::circle(x(points[p].first), y(points[p].second), color);
    }
    if (left == kRightPanel)
      out += svg::text(left + kPanelWidth + 30, kTop + 4 + 20.0 * static_cast<double>(i), "start", name);
    if (left == kRightPanel)
      out += svg::circle(left + kPanelWidth + 18, kTop + 20.0 * static_cast<double>(i), color);
  }
  return out;
}

Series series_of(const StageEvalReport& report, const std::function<double(const PolicyReport&)>& value) {
  Series series;
  for (const PolicyReport& policy : report.policies) {
    const double share = 100 * static_cast<double>(policy.stage_bytes) /
                         static_cast<double>(std::max<std::int64_t>(report.table_bytes, 1));
    series[std::string(name_of(policy.policy))].emplace_back(share, value(policy));
  }
  for (auto& [name, points] : series) std::sort(points.begin(), points.end());
  return series;
}

}  // namespace

std::string plot_staging(const StageEvalReport& report) {
  if (report.policies.empty()) return svg::document(kWidth, kHeight, "");
  const Series stalls = series_of(report, [](const PolicyReport& policy) {
    return 1e3 * policy.account.stall_seconds /
           static_cast<double>(std::max<std::int64_t>(policy.account.batches, 1));
  });
  const Series hits =
      series_of(report, [](const PolicyReport& policy) { return 100 * policy.account.hit_rate(); });
  return svg::document(kWidth, kHeight,
                       draw_panel(stalls, kLeftPanel, "stall, ms a step (simulated clock)", 2) +
                           draw_panel(hits, kRightPanel, "rows found in the fast tier, %", 0));
}

}  // namespace kith
