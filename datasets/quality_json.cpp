#include "datasets/quality_json.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace kith {

nlohmann::ordered_json to_json(const LevelQuality& quality) {
  return {{"communities", quality.num_communities},
          {"smallest", quality.smallest},
          {"median", quality.median},
          {"largest", quality.largest},
          {"intra_edge_fraction", quality.intra_edge_fraction},
          {"modularity", quality.modularity}};
}

std::string to_text(std::span<const LevelQuality> levels) {
  std::string text;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const LevelQuality& level = levels[i];
    char line[200];
    std::snprintf(line, sizeof line,
                  "level %zu      %d communities of %d to %d nodes (median %d), %.1f %% of the edges inside, "
                  "modularity %.3f\n",
                  i, level.num_communities, level.smallest, level.largest, level.median,
                  100 * level.intra_edge_fraction, level.modularity);
    text += line;
  }
  return text;
}

}  // namespace kith
