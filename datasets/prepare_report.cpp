#include <nlohmann/json.hpp>
#include <utility>

#include "datasets/prepare.h"
#include "datasets/quality_json.h"
#include "train/report.h"

namespace kith {

nlohmann::ordered_json to_json(const PrepareReport& report) {
  using Json = nlohmann::ordered_json;
  const BuildCounts& counts = report.counts;
  const PrepareSeconds& seconds = report.seconds;
  Json levels = Json::array();
  for (const LevelQuality& level : report.levels) levels.push_back(to_json(level));
  const double total = seconds.import + seconds.clean + seconds.partition + seconds.renumber + seconds.write;
  return {{"output", report.output},
          {"nodes", report.num_nodes},
          {"edges", report.num_edges},
          {"directed", report.is_directed},
          {"source_edges", counts.source_edges},
          {"duplicates_dropped", counts.duplicates_dropped},
          {"self_loops", counts.self_loops},
          {"self_loops_dropped", counts.self_loops_dropped},
          {"edges_added", counts.edges_added},
          {"features", report.feature_dim},
          {"feature_type", name_of(report.feature_type)},
          {"classes", report.num_classes},
          {"splits", {{"train", report.num_train}, {"valid", report.num_valid}, {"test", report.num_test}}},
          {"method", report.method},
          {"levels", std::move(levels)},
          {"metis_estimated_bytes", report.metis_bytes},
          {"edges_in_files", report.are_edges_in_files},
          {"memory_limit_bytes", report.memory_bytes},
          {"temporary_bytes", report.temporary_bytes},
          {"resumed", report.resumed},
          {"peak_rss_bytes", report.peak_rss_bytes},
          {"seconds",
           {{"import", seconds.import},
            {"clean", seconds.clean},
            {"partition", seconds.partition},
            {"renumber", seconds.renumber},
            {"write", seconds.write},
            {"total", total}}},
          {"version", kVersion}};
}

}  // namespace kith
