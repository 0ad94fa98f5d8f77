#include "datasets/planetoid_source.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <utility>

#include "datasets/pickle_arrays.h"
#include "datasets/pickle_reader.h"
#include "datasets/source_parts.h"
#include "datasets/text_input.h"
#include "graph/errors.h"

namespace kith {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kNumValid = 500;
constexpr std::int64_t kUsualColumns = 1 << 16;

// FOLDER/ind.NAME for whatever of it the user named.
std::string find_prefix(const std::string& path) {
  if (!fs::is_directory(path)) {
    const fs::path file(path);
    const std::string name = file.filename().string();
    return (file.parent_path() / name.substr(0, name.find('.', 4))).string();
  }
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("ind.") && name.ends_with(".graph")) {
      found.push_back((entry.path().parent_path() / entry.path().stem()).string());
    }
  }
  KITH_CHECK(!found.empty(), IoError, path, ": holds no file ind.NAME.graph");
  std::sort(found.begin(), found.end());
  KITH_CHECK(found.size() == 1, IoError, path, ": holds several data sets; name one, such as ", found[0]);
  return found[0];
}

// Classes of one-hot rows [rows, classes]; a row of zeros is no label.
std::vector<std::int32_t> read_classes(const std::string& path) {
  const Pickle pickle(path);
  const PickledArray table = as_array(pickle, pickle.root());
  KITH_CHECK(table.shape.size() == 2 && table.shape[1] < kMaxClasses, IoError, path,
             ": expected shape [nodes, classes]");
  const std::int64_t num_rows = table.shape[0];
  const std::int64_t num_classes = table.shape[1];
  // A header with no classes would name rows without bytes behind them.
  KITH_CHECK(num_classes > 0, IoError, path, ": has no classes");
  std::vector<std::int32_t> classes(static_cast<std::size_t>(num_rows), kNoLabel);
  for (std::int64_t row = 0; row < num_rows; ++row) {
    for (std::int64_t c = 0; c < num_classes; ++c) {
      if (table.integer(table.is_fortran_order ? c * num_rows + row : row * num_classes + c) != 0) {
        std::int32_t& label = classes[static_cast<std::size_t>(row)];
        KITH_CHECK(label == kNoLabel, IoError, path, ": row ", row, " has more than one class");
        label = static_cast<std::int32_t>(c);
      }
    }
  }
  return classes;
}

std::vector<std::int64_t> read_test_index(const std::string& path) {
  TextInput text(path);
  std::vector<std::int64_t> ids;
  while (text.next_content_line("#")) {
    ids.push_back(text.integer_in(0, kMaxNodes - 1, "a test node id"));
    text.next_line();
  }
  KITH_CHECK(!ids.empty(), IoError, path, ": holds no test nodes");
  return ids;
}

class PlanetoidSource final : public StoredSource {
 public:
  explicit PlanetoidSource(const std::string& prefix)
      : prefix_(prefix),
        all_pickle_(prefix + ".allx"),
        test_pickle_(prefix + ".tx"),
        graph_(prefix + ".graph"),
        all_(as_matrix(all_pickle_, all_pickle_.root())),
        test_(as_matrix(test_pickle_, test_pickle_.root())) {
    KITH_CHECK(all_.num_columns == test_.num_columns && all_.num_columns <= kMaxFeatureDim, IoError, prefix_,
               ".tx: must have as many columns as .allx, ", all_.num_columns, ", and at most ", kMaxFeatureDim,
               ", got ", test_.num_columns);
    check_sparse_width(all_.num_columns, all_.values.num_items() + test_.values.num_items(), kUsualColumns,
                       prefix_ + ".allx");
    data_.feature_dim = static_cast<std::int32_t>(all_.num_columns);
    place_test_nodes(read_test_index(prefix + ".test.index"));
    read_labels();
  }

  void for_each_edges(const std::function<void(std::span<const Edge>)>& visit) override {
    KITH_CHECK(graph_.root().kind == Pickle::Kind::dict, IoError, graph_.path(), ": expected a dict of lists");
    EdgeBuffer buffer(visit);
    const std::vector<Pickle::Ref>& items = graph_.root().items;
    std::size_t num_entries = 0;
    for (std::size_t i = 0; i < items.size(); i += 2) {
      const NodeId source = node(graph_[items[i]]);
      const Pickle::Value& neighbors = graph_[items[i + 1]];
      KITH_CHECK(neighbors.kind == Pickle::Kind::sequence, IoError, graph_.path(), ": node ", source,
                 " has no list");
      // An entry takes a byte at least, unless many nodes share one list, which could stand for any number of
      // edges.
      num_entries += neighbors.items.size();
      KITH_CHECK(num_entries <= graph_.num_bytes(), IoError, graph_.path(), ": holds more edges than bytes (",
                 graph_.num_bytes(), ")");
      for (const Pickle::Ref neighbor : neighbors.items) {
        buffer.add({source, node(graph_[neighbor])});
      }
    }
    buffer.flush();
  }

  void for_each_feature_row(const std::function<void(NodeId, std::span<const float>)>& visit) override {
    std::vector<float> dense(static_cast<std::size_t>(data_.feature_dim));
    for (NodeId v = 0; v < num_nodes_; ++v) {
      std::fill(dense.begin(), dense.end(), 0.0F);
      if (v < all_.num_rows) {
        add_row(all_, v, dense);
      } else if (const std::int32_t row = test_row_[static_cast<std::size_t>(v - all_.num_rows)]; row >= 0) {
        add_row(test_, row, dense);
      }
      visit(v, dense);
    }
  }

  bool is_undirected() const override { return true; }

 private:
  NodeId node(const Pickle::Value& id) const {
    KITH_CHECK(id.kind == Pickle::Kind::integer && id.integer >= 0 && id.integer < num_nodes_, IoError,
               graph_.path(), ": a node id must lie in 0..", num_nodes_ - 1, ", got ", id.integer);
    return static_cast<NodeId>(id.integer);
  }

  static void add_row(const PickledMatrix& matrix, std::int64_t row, std::vector<float>& dense) {
    for (std::int64_t i = matrix.bounds.integer(row); i < matrix.bounds.integer(row + 1); ++i) {
      dense[static_cast<std::size_t>(matrix.columns.integer(i))] += static_cast<float>(matrix.values.real(i));
    }
  }

  // Row i of tx belongs to the i-th id of test.index; the ids follow the rows of allx in some order, with gaps.
  void place_test_nodes(const std::vector<std::int64_t>& ids) {
    const std::string where = prefix_ + ".test.index";
    KITH_CHECK(static_cast<std::int64_t>(ids.size()) == test_.num_rows, IoError, where, ": expected ",
               test_.num_rows, " ids, one for each row of .tx, got ", ids.size());
    const std::int64_t last = *std::max_element(ids.begin(), ids.end());
    const std::int64_t num_gaps = last + 1 - all_.num_rows - test_.num_rows;
    // Gaps are few in the real files. A far larger id is damage, and must not become an allocation.
    KITH_CHECK(num_gaps <= all_.num_rows + test_.num_rows, IoError, where, ": id ", last, " is too far behind ",
               all_.num_rows + test_.num_rows, " nodes");
    num_nodes_ = static_cast<NodeId>(std::max(last + 1, all_.num_rows));
    test_row_.assign(static_cast<std::size_t>(num_nodes_ - all_.num_rows), -1);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      KITH_CHECK(ids[i] >= all_.num_rows, IoError, where, ": id ", ids[i], " is one of the ", all_.num_rows,
                 " nodes of .allx");
      std::int32_t& row = test_row_[static_cast<std::size_t>(ids[i] - all_.num_rows)];
      KITH_CHECK(row == -1, IoError, where, ": id ", ids[i], " comes twice");
      row = static_cast<std::int32_t>(i);
      data_.splits.test.push_back(static_cast<NodeId>(ids[i]));
    }
    std::sort(data_.splits.test.begin(), data_.splits.test.end());
  }

  void read_labels() {
    std::vector<std::int32_t> labels = read_classes(prefix_ + ".ally");
    const std::vector<std::int32_t> test_labels = read_classes(prefix_ + ".ty");
    KITH_CHECK(static_cast<std::int64_t>(labels.size()) == all_.num_rows, IoError, prefix_, ".ally: expected ",
               all_.num_rows, " rows, as .allx has, got ", labels.size());
    KITH_CHECK(static_cast<std::int64_t>(test_labels.size()) == test_.num_rows, IoError, prefix_,
               ".ty: expected ", test_.num_rows, " rows, as .tx has, got ", test_labels.size());
    for (const std::int32_t row : test_row_) {
      labels.push_back(row >= 0 ? test_labels[static_cast<std::size_t>(row)] : kNoLabel);
    }
    data_.labels = single_labels(std::move(labels));
    const auto num_train = static_cast<std::int64_t>(read_classes(prefix_ + ".y").size());
    KITH_CHECK(num_train <= all_.num_rows, IoError, prefix_, ".y: has more rows than .allx");
    const std::int64_t end = std::min(num_train + kNumValid, all_.num_rows);
    for (std::int64_t v = 0; v < end; ++v) {
      (v < num_train ? data_.splits.train : data_.splits.valid).push_back(static_cast<NodeId>(v));
    }
  }

  std::string prefix_;
  Pickle all_pickle_, test_pickle_, graph_;
  PickledMatrix all_, test_;            // view the bytes of the pickles
  std::vector<std::int32_t> test_row_;  // [num_nodes - rows of allx] row of tx, -1 = none
};

}  // namespace

std::unique_ptr<Source> open_planetoid_source(const std::string& path) {
  return std::make_unique<PlanetoidSource>(find_prefix(path));
}

}  // namespace kith
