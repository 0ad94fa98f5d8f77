// The JSON of a training run, as the command line's contract lays it out.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "graph/dataset.h"
#include "train/run.h"

namespace kith {

inline constexpr const char* kVersion = "0.1.0";

/// One object: options, dataset, epochs, best epoch, accuracies, seconds. Apart from the seconds,
/// peak_rss_bytes and, on a GPU, gathering (what was timed, and so chosen) it is the same, byte for byte, for
/// any number of threads and any prefetch depth, so neither of the two is in it.
nlohmann::ordered_json to_json(const RunReport& report, const Dataset& dataset, std::string_view device);

/// The options alone, in the words of the command line.
nlohmann::ordered_json to_json(const RunOptions& options);

/// JSON as it is written: indented, with a newline at the end. A file's name may hold any bytes; those that are
/// not UTF-8 become U+FFFD.
std::string json_text(const nlohmann::ordered_json& json);

/// Peak resident memory of this process.
std::int64_t peak_rss_bytes();

/// Writes text to `path` through a temporary name, or to stdout if path is "-". Throws IoError,
/// EnvironmentError.
void write_text(const std::string& path, const std::string& text);

}  // namespace kith
