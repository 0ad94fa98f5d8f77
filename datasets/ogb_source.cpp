#include "datasets/ogb_source.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

#include "datasets/source_parts.h"
#include "datasets/text_input.h"
#include "graph/errors.h"

namespace kith {

namespace {

namespace fs = std::filesystem;

// folder/stem.csv.gz or folder/stem.csv, whichever is there.
std::optional<std::string> find_table(const fs::path& folder, const std::string& stem) {
  for (const char* suffix : {".csv.gz", ".csv"}) {
    const fs::path file = folder / (stem + suffix);
    if (fs::is_regular_file(file)) {
      return file.string();
    }
  }
  return std::nullopt;
}

std::string require_table(const fs::path& folder, const std::string& stem) {
  const std::optional<std::string> found = find_table(folder, stem);
  KITH_CHECK(found.has_value(), IoError, folder.string(), ": holds neither ", stem, ".csv.gz nor ", stem,
             ".csv");
  return *found;
}

// The one number of num-node-list or num-edge-list.
std::int64_t read_count(const std::string& path, std::int64_t high) {
  TextInput text(path);
  if (!text.next_content_line("")) {
    text.fail("expected a count, got the end of the file");
  }
  const std::int64_t count = text.integer_in(0, high, "a count");
  text.next_line();
  if (text.next_content_line("")) {
    text.fail("expected one graph, got several");
  }
  return count;
}

// Number of values in the first line; 0 for an empty file.
std::int64_t count_columns(TextInput& text) {
  std::int64_t count = 0;
  if (text.next_content_line("")) {
    for (; !text.end_of_line(); ++count) {
      text.word("a value");
    }
  }
  text.rewind();
  return count;
}

// Reads num_rows lines of `row` values each and calls visit(row number, row).
template <typename Visit>
void for_each_row(TextInput& text, std::int64_t num_rows, std::vector<float>& row, const Visit& visit) {
  text.rewind();
  for (std::int64_t v = 0; v < num_rows; ++v) {
    if (!text.next_content_line("")) {
      text.fail(concat("expected ", num_rows, " rows, the file ends after ", v));
    }
    for (float& value : row) {
      value = text.real("a number");
    }
    if (!text.end_of_line()) {
      text.fail(concat("expected ", row.size(), " values, got more"));
    }
    visit(v);
    text.next_line();
  }
  if (text.next_content_line("")) {
    text.fail(concat("expected ", num_rows, " rows, got more"));
  }
}

std::vector<NodeId> read_split(const fs::path& folder, const std::string& name, NodeId num_nodes) {
  std::vector<NodeId> ids;
  if (const std::optional<std::string> path = find_table(folder, name)) {
    TextInput text(*path);
    while (text.next_content_line("")) {
      ids.push_back(static_cast<NodeId>(text.integer_in(0, num_nodes - 1, "a node id")));
      text.next_line();
    }
    std::sort(ids.begin(), ids.end());
    const auto twice = std::adjacent_find(ids.begin(), ids.end());
    KITH_CHECK(twice == ids.end(), IoError, *path, ": node ", *twice, " comes twice");
  }
  return ids;
}

// The folder of the only splitting scheme, if there is any.
std::optional<fs::path> find_split(const fs::path& folder) {
  std::optional<fs::path> found;
  if (fs::is_directory(folder)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      if (entry.is_directory() && find_table(entry.path(), "train")) {
        KITH_CHECK(!found, IoError, folder.string(), ": holds several splits; expected one");
        found = entry.path();
      }
    }
  }
  return found;
}

class OgbSource final : public StoredSource {
 public:
  explicit OgbSource(const fs::path& folder) : raw_(folder / "raw"), edges_(require_table(raw_, "edge")) {
    const std::string count_file = require_table(raw_, "num-node-list");
    num_nodes_ = checked_num_nodes(read_count(count_file, kMaxNodes), table_bytes(), count_file);
    num_edges_ = read_count(require_table(raw_, "num-edge-list"), INT64_MAX);
    KITH_CHECK(num_edges_ <= edges_.max_bytes(), IoError, edges_.path(), ": cannot hold the ", num_edges_,
               " edges that num-edge-list says");
    check_num_edges(num_edges_, edges_.file_bytes(), edges_.path());
    if (const std::optional<std::string> path = find_table(raw_, "node-feat")) {
      features_.emplace(*path);
      const std::int64_t dim = count_columns(*features_);
      KITH_CHECK(dim <= kMaxFeatureDim, IoError, *path, ": at most ", kMaxFeatureDim,
                 " features are possible, got ", dim);
      data_.feature_dim = static_cast<std::int32_t>(dim);
    }
    read_labels();
    if (const std::optional<fs::path> split = find_split(folder / "split")) {
      data_.splits.train = read_split(*split, "train", num_nodes_);
      data_.splits.valid = read_split(*split, "valid", num_nodes_);
      data_.splits.test = read_split(*split, "test", num_nodes_);
    }
  }

  void for_each_edges(const std::function<void(std::span<const Edge>)>& visit) override {
    edges_.rewind();
    EdgeBuffer buffer(visit);
    std::int64_t count = 0;
    for (; edges_.next_content_line(""); ++count) {
      if (count == num_edges_) {
        edges_.fail(concat("num-edge-list says ", num_edges_, " edges, but there are more"));
      }
      const std::int64_t source = edges_.integer_in(0, num_nodes_ - 1, "a source node id");
      const std::int64_t target = edges_.integer_in(0, num_nodes_ - 1, "a target node id");
      if (!edges_.end_of_line()) {
        edges_.fail("an edge must be two node ids, got more");
      }
      edges_.next_line();
      buffer.add({static_cast<NodeId>(source), static_cast<NodeId>(target)});
    }
    KITH_CHECK(count == num_edges_, IoError, edges_.path(), ": num-edge-list says ", num_edges_, " edges, got ",
               count);
    buffer.flush();
  }

  void for_each_feature_row(const std::function<void(NodeId, std::span<const float>)>& visit) override {
    if (data_.feature_dim == 0) {
      return;
    }
    std::vector<float> row(static_cast<std::size_t>(data_.feature_dim));
    for_each_row(*features_, num_nodes_, row, [&](std::int64_t v) { visit(static_cast<NodeId>(v), row); });
  }

  EdgeOffset num_stored_edges() const override { return num_edges_; }
  bool is_undirected() const override { return false; }

 private:
  // Of the tables that have a line for each edge or node.
  std::int64_t table_bytes() const {
    std::int64_t bytes = edges_.file_bytes();
    for (const char* stem : {"node-feat", "node-label"}) {
      if (const std::optional<std::string> path = find_table(raw_, stem))
        bytes += TextInput(*path).file_bytes();
    }
    return bytes;
  }

  void read_labels() {
    const std::optional<std::string> path = find_table(raw_, "node-label");
    if (!path) {
      return;
    }
    TextInput text(*path);
    std::vector<float> row(static_cast<std::size_t>(count_columns(text)));
    if (row.size() == 1) {
      std::vector<std::int32_t>
          classes;  // grows with the lines that are there, not with the count that is said
      for_each_row(text, num_nodes_, row, [&](std::int64_t) {
        const bool is_whole =
            std::isnan(row[0]) || (std::abs(row[0]) < kMaxClasses && row[0] == std::floor(row[0]));
        if (!is_whole) {
          text.fail(concat("a class must be a whole number below ", kMaxClasses, ", got ", row[0]));
        }
        const std::int64_t value = std::isnan(row[0]) ? kNoLabel : static_cast<std::int64_t>(row[0]);
        classes.push_back(checked_class(value, concat(*path, ":", text.line())));
      });
      data_.labels = single_labels(std::move(classes));
    } else if (!row.empty()) {
      KITH_CHECK(static_cast<std::int64_t>(row.size()) <= kMaxClasses, IoError, *path, ": at most ",
                 kMaxClasses, " classes are possible, got ", row.size());
      data_.labels.num_classes = static_cast<std::int32_t>(row.size());
      for_each_row(text, num_nodes_, row, [&](std::int64_t) {
        for (const float value : row) {
          if (!(value == 0 || value == 1 || std::isnan(value))) {
            text.fail(concat("a label of a multi-label task must be 0, 1 or nan, got ", value));
          }
          data_.labels.indicator.push_back(value == 1 ? 1 : 0);
        }
      });
    }
  }

  fs::path raw_;
  TextInput edges_;
  std::optional<TextInput> features_;
  std::int64_t num_edges_ = 0;
};

}  // namespace

std::unique_ptr<Source> open_ogb_source(const std::string& path) { return std::make_unique<OgbSource>(path); }

}  // namespace kith
