// What the fuzz targets share. A target makes a file of its input and reads it; the only outcomes that count as
// right are a value that passes its own checks, and an Error in one line.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "datasets/build_graph.h"
#include "datasets/source.h"
#include "graph/errors.h"
#include "tests/support/temp_folder.h"

namespace kith::fuzz {

/// Ends the process, which is how a target reports a bug.
[[noreturn]] inline void report(const std::string& what) {
  std::fprintf(stderr, "fuzz target: %s\n", what.c_str());
  std::abort();
}

/// The folder in which a process writes its inputs. In memory where the system has such a place.
inline const std::filesystem::path& folder() {
  static const test::TempFolder made = [] {
    if (std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
    return test::TempFolder();
  }();
  return made.path();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// The parts of an input that stands for several files: a line "=== NAME" starts the file NAME, if it is one of
/// `names`, and takes the newline before it with it; what comes before the first such line is dropped.
inline std::vector<std::pair<std::string, std::string>> split_parts(std::string_view input,
                                                                    const std::vector<std::string>& names) {
  constexpr std::string_view kMark = "=== ";
  std::vector<std::pair<std::string, std::string>> parts;
  while (!input.empty()) {
    const std::string_view line = input.substr(0, std::min(input.find('\n'), input.size() - 1) + 1);
    input.remove_prefix(line.size());
    const bool is_mark = line.starts_with(kMark) && line.ends_with('\n');
    const std::string name(is_mark ? line.substr(kMark.size(), line.size() - kMark.size() - 1) : "");
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      if (!parts.empty() && parts.back().second.ends_with('\n')) parts.back().second.pop_back();
      parts.emplace_back(name, "");
    } else if (!parts.empty()) {
      parts.back().second += line;
    }
  }
  return parts;
}

/// Calls read() and checks that it returns or throws an Error whose text is one line that names a place.
template <typename Read>
void expect_value_or_one_line(const Read& read) {
  try {
    read();
  } catch (const Error& error) {
    const std::string_view text = error.what();
    if (text.empty() || text.find('\n') != std::string_view::npos) {
      report("the message is not one line: " + std::string(text));
    }
  }
}

/// Opens a source, builds the graph of its edges and streams its features, within limits that keep an input
/// short. build_graph checks ids and order again.
inline void read_source(const std::string& path, SourceFormat format) {
  // Sparse rows become dense ones, so a small file may stand for more values than one input has time for.
  constexpr std::int64_t kMostValues = std::int64_t{1} << 24;
  constexpr NodeId kMostNodes = 1 << 18;
  struct Enough {};
  const std::unique_ptr<Source> source = open_source(path, format);
  NodeData& data = source->node_data();
  check_labels(data.labels, source->num_nodes(), path.c_str());
  check_splits(data.splits, source->num_nodes(), path.c_str());
  if (source->num_nodes() <= kMostNodes) {
    const BuiltGraph built =
        build_graph(*source, {.symmetrize = source->is_undirected(), .keep_edge_ids = true});
    if (built.graph.num_nodes() != source->num_nodes()) report("the graph has another number of nodes");
  } else {
    source->for_each_edges([](std::span<const Edge>) {});
  }
  std::int64_t num_values = 0;
  NodeId num_rows = 0;
  try {
    source->for_each_feature_row([&](NodeId v, std::span<const float> row) {
      if (v != num_rows++ || row.size() != static_cast<std::size_t>(data.feature_dim)) report("a wrong row");
      num_values += data.feature_dim;
      if (num_values > kMostValues) throw Enough();
    });
    if (data.feature_dim > 0 && num_rows != source->num_nodes()) report("feature rows are missing");
  } catch (const Enough&) {
  }
}

}  // namespace kith::fuzz
