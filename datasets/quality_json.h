// The quality of a community level in reports.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "partition/hierarchy.h"

namespace kith {

nlohmann::ordered_json to_json(const LevelQuality& quality);

/// A line for each level, finest first, each ending in a newline.
std::string to_text(std::span<const LevelQuality> levels);

}  // namespace kith
