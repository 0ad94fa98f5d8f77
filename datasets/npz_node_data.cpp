#include "datasets/npz_node_data.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "datasets/source_parts.h"
#include "graph/errors.h"

namespace kith {

namespace {

constexpr std::int64_t kChunk = 1 << 16;
// Columns of sparse features and labels that are believed without as many values.
constexpr std::int64_t kUsualFeatures = 1 << 16;
constexpr std::int64_t kUsualClasses = 1024;
// A multi-label table takes a byte for every node and class.
constexpr std::int64_t kMaxIndicatorBytes = std::int64_t{1} << 34;

// The first of `keys` that the archive has, or "".
std::string first_key(const NpzArchive& archive, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (archive.has(key)) {
      return key;
    }
  }
  return "";
}

// [rows, columns] of a *_shape array.
std::pair<std::int64_t, std::int64_t> read_shape(const NpzArchive& archive, const std::string& key) {
  const std::vector<std::int64_t> shape = archive.integers(key);
  KITH_CHECK(shape.size() == 2 && shape[0] >= 0 && shape[1] >= 0, IoError, archive.path(), ": ", key,
             ": expected two sizes");
  return {shape[0], shape[1]};
}

// Reads the bounds of CSR rows one after the other and checks that they start at 0, never fall and end at
// `num_values`.
class RowBounds {
 public:
  RowBounds(NpyReader reader, std::int64_t num_values)
      : reader_(std::move(reader)), num_values_(num_values), rest_(reader_.header().num_items()) {
    KITH_CHECK(next() == 0, IoError, reader_.name(), ": must start at 0");
  }

  // Number of values in the next row.
  std::int64_t next_length() {
    const std::int64_t before = last_;
    const std::int64_t now = next();
    KITH_CHECK(now >= before && now <= num_values_, IoError, reader_.name(), ": bounds must rise from 0 to ",
               num_values_, ", got ", now, " after ", before);
    return now - before;
  }

  void finish() {
    KITH_CHECK(last_ == num_values_, IoError, reader_.name(), ": must end at ", num_values_, ", got ", last_);
    reader_.finish();
  }

 private:
  std::int64_t next() {
    if (place_ == buffer_.size()) {
      buffer_.resize(static_cast<std::size_t>(std::min(rest_, kChunk)));
      KITH_CHECK(!buffer_.empty(), IoError, reader_.name(), ": is empty");
      reader_.read(std::span(buffer_));
      rest_ -= static_cast<std::int64_t>(buffer_.size());
      place_ = 0;
    }
    last_ = buffer_[place_++];
    return last_;
  }

  NpyReader reader_;
  std::int64_t num_values_;
  std::int64_t rest_;
  std::vector<std::int64_t> buffer_;
  std::size_t place_ = 0;
  std::int64_t last_ = 0;
};

// Throws unless `key`_indptr has num_rows + 1 entries and all parts are flat.
void check_csr_parts(const NpzArchive& archive, const std::string& key, std::int64_t num_rows) {
  const NpyReader bounds = archive.open(key + "_indptr");
  const NpyReader columns = archive.open(key + "_indices");
  KITH_CHECK(bounds.header().shape == std::vector<std::int64_t>{num_rows + 1}, IoError, bounds.name(),
             ": expected ", num_rows + 1, " bounds for ", num_rows, " rows");
  KITH_CHECK(columns.header().shape.size() == 1, IoError, columns.name(), ": expected one dimension, got ",
             columns.header().shape.size());
  if (archive.has(key + "_data")) {
    const NpyReader data = archive.open(key + "_data");
    KITH_CHECK(data.header().shape == columns.header().shape, IoError, data.name(), ": must be as long as ",
               key, "_indices, which has ", columns.header().shape[0]);
  }
}

// Calls visit(row, columns, values) for each CSR row; values is empty if there is no data array.
template <typename Visit>
void for_each_csr_row(const NpzArchive& archive, const std::string& key, std::int64_t num_rows,
                      std::int64_t num_columns, const Visit& visit) {
  NpyReader columns = archive.open(key + "_indices");
  RowBounds bounds(archive.open(key + "_indptr"), columns.header().num_items());
  std::optional<NpyReader> data;
  if (archive.has(key + "_data")) {
    data.emplace(archive.open(key + "_data"));
  }
  std::vector<std::int64_t> row_columns;
  std::vector<float> row_values;
  for (std::int64_t row = 0; row < num_rows; ++row) {
    row_columns.resize(static_cast<std::size_t>(bounds.next_length()));
    columns.read(std::span(row_columns));
    for (const std::int64_t column : row_columns) {
      KITH_CHECK(column >= 0 && column < num_columns, IoError, columns.name(), ": row ", row,
                 ": a column must lie in 0..", num_columns - 1, ", got ", column);
    }
    if (data) {
      row_values.resize(row_columns.size());
      data->read(std::span(row_values));
    }
    visit(row, row_columns, row_values);
  }
  bounds.finish();
  columns.finish();
  if (data) {
    data->finish();
  }
}

// One row of a bool table [N] or [S, N]: the ids that are set.
std::vector<NodeId> read_mask(const NpzArchive& archive, const std::string& name, NodeId num_nodes) {
  const std::string key = first_key(archive, {(name + "_mask").c_str(), (name + "_masks").c_str()});
  std::vector<NodeId> ids;
  if (key.empty()) {
    return ids;
  }
  NpyReader reader = archive.open(key);
  const NpyHeader& header = reader.header();
  KITH_CHECK(header.is_integer() && header.item_bytes == 1, IoError, reader.name(),
             ": expected bools, got type '", header.kind, header.item_bytes, "'");
  const bool is_table = header.shape.size() == 2 && header.shape[0] > 0 && !header.is_fortran_order;
  KITH_CHECK((header.shape.size() == 1 || is_table) && header.shape.back() == num_nodes, IoError, reader.name(),
             ": expected a bool for each of ", num_nodes, " nodes");
  std::vector<std::byte> mask(static_cast<std::size_t>(num_nodes));
  reader.read_bytes(mask);
  reader.skip(header.num_items() - num_nodes);
  reader.finish();
  for (NodeId v = 0; v < num_nodes; ++v) {
    if (mask[static_cast<std::size_t>(v)] != std::byte{0}) {
      ids.push_back(v);
    }
  }
  return ids;
}

}  // namespace

NpzNodeData::NpzNodeData(const NpzArchive& archive)
    : archive_(archive),
      features_key_(first_key(archive, {"x", "node_features", "x_indptr"})),
      labels_key_(first_key(archive, {"y", "node_labels", "y_indptr"})) {}

std::optional<NodeId> NpzNodeData::num_nodes() const {
  if (archive_.has("num_nodes")) {
    const std::vector<std::int64_t> count = archive_.integers("num_nodes");
    KITH_CHECK(count.size() == 1, IoError, archive_.path(), ": num_nodes: expected one number");
    return checked_num_nodes(count[0], archive_.file_bytes(), archive_.path() + ": num_nodes");
  }
  for (const std::string& key : {features_key_, labels_key_}) {
    if (!key.empty()) {
      const NpyReader reader = archive_.open(key);
      KITH_CHECK(!reader.header().shape.empty(), IoError, reader.name(), ": expected an array, got a scalar");
      return checked_num_nodes(reader.header().shape[0] - (key.ends_with("_indptr") ? 1 : 0),
                               archive_.file_bytes(), reader.name());
    }
  }
  return std::nullopt;
}

NodeData NpzNodeData::read(NodeId num_nodes) {
  num_nodes_ = num_nodes;
  data_ = {};
  open_features();
  read_labels();
  data_.splits.train = read_mask(archive_, "train", num_nodes_);
  data_.splits.valid = read_mask(archive_, "val", num_nodes_);
  data_.splits.test = read_mask(archive_, "test", num_nodes_);
  dim_ = data_.feature_dim;
  return std::move(data_);
}

void NpzNodeData::for_each_feature_row(const std::function<void(NodeId, std::span<const float>)>& visit) const {
  std::vector<float> dense(static_cast<std::size_t>(dim_));
  if (dim_ == 0) {
    return;
  }
  if (features_key_ == "x_indptr") {
    for_each_csr_row(
        archive_, "x", num_nodes_, dim_,
        [&](std::int64_t row, std::span<const std::int64_t> columns, std::span<const float> values) {
          std::fill(dense.begin(), dense.end(), 0.0F);
          for (std::size_t i = 0; i < columns.size(); ++i) {
            dense[static_cast<std::size_t>(columns[i])] += values.empty() ? 1.0F : values[i];
          }
          visit(static_cast<NodeId>(row), dense);
        });
    return;
  }
  NpyReader reader = archive_.open(features_key_);
  for (NodeId v = 0; v < num_nodes_; ++v) {
    reader.read(std::span(dense));
    visit(v, dense);
  }
  reader.finish();
}

void NpzNodeData::open_features() {
  if (features_key_.empty()) {
    return;
  }
  std::int64_t num_rows = 0;
  std::int64_t dim = 0;
  std::string values_key = features_key_;
  if (features_key_ == "x_indptr") {
    std::tie(num_rows, dim) = read_shape(archive_, "x_shape");
    check_csr_parts(archive_, "x", num_nodes_);
    check_sparse_width(dim, archive_.open("x_indices").header().num_items(), kUsualFeatures,
                       archive_.path() + ": x_shape");
    values_key = archive_.has("x_data") ? "x_data" : "";
  } else {
    const NpyReader reader = archive_.open(features_key_);
    const NpyHeader& header = reader.header();
    KITH_CHECK(header.shape.size() == 2, IoError, reader.name(), ": expected shape [nodes, features]");
    KITH_CHECK(!header.is_fortran_order || header.shape[1] == 1, IoError, reader.name(),
               ": is in Fortran order; save numpy.ascontiguousarray(x) instead");
    num_rows = header.shape[0];
    dim = header.shape[1];
  }
  KITH_CHECK(num_rows == num_nodes_, IoError, archive_.path(), ": x has ", num_rows, " rows, but there are ",
             num_nodes_, " nodes");
  KITH_CHECK(dim <= kMaxFeatureDim, IoError, archive_.path(), ": at most ", kMaxFeatureDim,
             " features are possible, got ", dim);
  data_.feature_dim = static_cast<std::int32_t>(dim);
  if (!values_key.empty()) {
    const NpyHeader header = archive_.open(values_key).header();
    KITH_CHECK(header.kind != 'U', IoError, archive_.path(), ": ", values_key, ": expected numbers, got text");
    data_.feature_type = header.kind == 'f' && header.item_bytes == 2 ? FeatureType::f16 : FeatureType::f32;
  }
}

void NpzNodeData::read_labels() {
  if (labels_key_.empty()) {
    return;
  }
  if (labels_key_ == "y_indptr") {
    read_sparse_labels();
    return;
  }
  const NpyHeader header = archive_.open(labels_key_).header();
  KITH_CHECK(!header.shape.empty() && header.shape[0] == num_nodes_, IoError, archive_.path(), ": ",
             labels_key_, ": expected a label for each of ", num_nodes_, " nodes");
  if (header.shape.size() == 2 && header.shape[1] > 1) {
    read_table_labels();
    return;
  }
  std::vector<std::int32_t> classes;  // grows with what is there: [nodes, 0] is a shape without bytes
  for (const std::int64_t value : archive_.integers(labels_key_)) {
    classes.push_back(checked_class(value, concat(archive_.path(), ": ", labels_key_)));
  }
  data_.labels = single_labels(std::move(classes));
}

void NpzNodeData::read_table_labels() {
  NpyReader reader = archive_.open(labels_key_);
  const NpyHeader& header = reader.header();
  KITH_CHECK(header.shape.size() == 2 && !header.is_fortran_order && header.is_integer(), IoError,
             reader.name(), ": expected integers [nodes, classes] in C order");
  allocate_indicator(header.shape[1], reader.name());
  std::vector<std::int64_t> row(static_cast<std::size_t>(header.shape[1]));
  auto out = data_.labels.indicator.begin();
  for (NodeId v = 0; v < num_nodes_; ++v) {
    reader.read(std::span(row));
    for (const std::int64_t value : row) {
      KITH_CHECK(value == 0 || value == 1, IoError, reader.name(), ": row ", v, ": expected 0 or 1, got ",
                 value);
      *out++ = static_cast<std::uint8_t>(value);
    }
  }
  reader.finish();
}

void NpzNodeData::read_sparse_labels() {
  const auto [num_rows, num_classes] = read_shape(archive_, "y_shape");
  KITH_CHECK(num_rows == num_nodes_, IoError, archive_.path(), ": y has ", num_rows, " rows, but there are ",
             num_nodes_, " nodes");
  check_csr_parts(archive_, "y", num_nodes_);
  check_sparse_width(num_classes, archive_.open("y_indices").header().num_items(), kUsualClasses,
                     archive_.path() + ": y_shape");
  allocate_indicator(num_classes, concat(archive_.path(), ": y_shape"));
  for_each_csr_row(archive_, "y", num_nodes_, num_classes,
                   [&, width = num_classes](std::int64_t row, std::span<const std::int64_t> columns,
                                            std::span<const float> values) {
                     for (std::size_t i = 0; i < columns.size(); ++i) {
                       const bool is_set = values.empty() || values[i] != 0;
                       data_.labels.indicator[static_cast<std::size_t>(row * width + columns[i])] |=
                           is_set ? 1 : 0;
                     }
                   });
}

void NpzNodeData::allocate_indicator(std::int64_t num_classes, const std::string& where) {
  KITH_CHECK(num_classes < kMaxClasses && num_nodes_ * num_classes <= kMaxIndicatorBytes, IoError, where,
             ": a label table of ", num_nodes_, " x ", num_classes, " is too large");
  data_.labels.num_classes = static_cast<std::int32_t>(num_classes);
  data_.labels.indicator.resize(static_cast<std::size_t>(num_nodes_ * num_classes));
}

}  // namespace kith
