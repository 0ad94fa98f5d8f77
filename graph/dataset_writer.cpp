#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <limits>
#include <optional>
#include <system_error>
#include <vector>

#include "graph/append_file.h"
#include "graph/array_file.h"
#include "graph/dataset_file.h"
#include "graph/dataset_format.h"
#include "graph/errors.h"
#include "graph/feature_writer.h"
#include "graph/limits.h"

namespace kith {
namespace {

using format::Element;

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::string text(32, '\0');
  text.resize(std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts));
  return text;
}

constexpr std::size_t kChunkBytes = std::size_t{4} << 20;

/// The rows came in any order, so they are read once more in file order.
std::string checksum_of(const PosixFile& file, const FeatureWriter& features) {
  format::Checksum checksum;
  const std::uint64_t end = static_cast<std::uint64_t>(features.num_rows()) * features.row_bytes();
  std::vector<std::byte> chunk(kChunkBytes);
  for (std::uint64_t done = 0; done < end; done += chunk.size()) {
    chunk.resize(std::min<std::uint64_t>(chunk.size(), end - done));
    file.read(features.offset() + done, chunk);
    checksum.add(chunk);
  }
  return checksum.text();
}

}  // namespace

struct DatasetWriter::Impl {
  explicit Impl(const std::string& path) : array_file(path) {}

  const std::string& path() const { return array_file.path(); }

  void begin_part(bool& is_written, const char* part) {
    KITH_CHECK(!is_committed, InvalidArgument, path(), ": the file is committed already");
    KITH_CHECK(!is_written, InvalidArgument, path(), ": the ", part, " were written already");
    is_written = true;
  }

  void agree_on_nodes(std::int64_t count) {
    if (!num_nodes) num_nodes = count;
    KITH_CHECK(*num_nodes == count, InvalidArgument, path(), ": expected ", *num_nodes,
               " nodes as in the parts before, got ", count);
  }

  template <typename T>
  void write_vector(const std::string& name, Element element, std::span<const T> values) {
    array_file.write(name, element, {values.size()}, std::as_bytes(values));
  }

  ArrayFile array_file;
  std::optional<FeatureWriter> features;
  std::optional<std::int64_t> num_nodes;  ///< as the first part had it; the others must agree
  NodeId split_end = 0;                   ///< one past the largest id of the splits
  std::int32_t num_classes = 0;
  bool has_graph = false, has_nodes = false, has_levels = false, has_splits = false, has_features = false;
  bool is_committed = false;
};

DatasetWriter::DatasetWriter(const std::string& path) {
  std::error_code ignored;
  KITH_CHECK(!std::filesystem::is_directory(path, ignored) && std::filesystem::path(path).has_filename(),
             IoError, path, ": expected the name of a file, got a folder");
  impl_ = std::make_unique<Impl>(path);
}

DatasetWriter::~DatasetWriter() = default;

void DatasetWriter::write_graph(CsrView graph, std::span<const EdgeOffset> edge_id) {
  impl_->begin_part(impl_->has_graph, "edges");
  check_csr(graph, impl_->path().c_str());
  KITH_CHECK(edge_id.empty() || edge_id.size() == graph.neighbors.size(), InvalidArgument, impl_->path(),
             ": expected ", graph.neighbors.size(), " edge ids (one an edge) or none, got ", edge_id.size());
  impl_->agree_on_nodes(graph.num_nodes());
  impl_->write_vector(format::kOffsets, Element::i64, graph.offsets);
  impl_->write_vector(format::kNeighbors, Element::i32, graph.neighbors);
  if (!edge_id.empty()) impl_->write_vector(format::kEdgeId, Element::i64, edge_id);
}

void DatasetWriter::write_graph(const RowBlocks& graph, const std::string& edge_id_path) {
  impl_->begin_part(impl_->has_graph, "edges");
  impl_->agree_on_nodes(graph.num_nodes());
  impl_->write_vector(format::kOffsets, Element::i64, graph.offsets());
  ArrayFile& array_file = impl_->array_file;
  const auto num_edges = static_cast<std::uint64_t>(graph.num_edges());
  ArrayStream neighbors(array_file, format::kNeighbors, Element::i32, {num_edges});
  graph.for_each([&](const RowBlock& block) {
    for (NodeId v = block.begin; v < block.end; ++v) {
      const auto row = block.row(v);
      const bool is_valid = row.empty() || (row.front() >= 0 && row.back() < graph.num_nodes() &&
                                            std::is_sorted(row.begin(), row.end()));
      KITH_CHECK(is_valid, IoError, impl_->path(), ": the neighbours of node ", v,
                 " must be ascending ids of nodes");
    }
    neighbors.add(std::as_bytes(block.neighbors));
  });
  neighbors.finish();
  if (edge_id_path.empty()) return;
  ArrayStream edge_id(array_file, format::kEdgeId, Element::i64, {num_edges});
  const std::size_t chunk_bytes = graph.scratch() != nullptr ? graph.scratch()->append_bytes() : kChunkBytes;
  for_each_chunk(edge_id_path, chunk_bytes, [&](std::span<const std::byte> chunk) { edge_id.add(chunk); });
  edge_id.finish();
}

void DatasetWriter::write_nodes(std::span<const std::int64_t> original_id, const Labels& labels) {
  impl_->begin_part(impl_->has_nodes, "nodes");
  impl_->agree_on_nodes(static_cast<std::int64_t>(original_id.size()));
  check_labels(labels, static_cast<NodeId>(original_id.size()), impl_->path().c_str());
  impl_->num_classes = labels.num_classes;
  impl_->write_vector(format::kOriginalId, Element::i64, original_id);
  if (labels.is_multi_label()) {
    impl_->array_file.write(format::kLabel, Element::u8,
                            {original_id.size(), static_cast<std::uint64_t>(labels.num_classes)},
                            std::as_bytes(std::span(labels.indicator)));
  } else if (!labels.empty()) {
    impl_->write_vector(format::kLabel, Element::i32, std::span(labels.of_node));
  }
}

void DatasetWriter::write_levels(std::span<const Communities> levels) {
  impl_->begin_part(impl_->has_levels, "communities");
  check_nested(levels, impl_->path().c_str());
  KITH_CHECK(levels.size() <= kMaxLevels, InvalidArgument, impl_->path(), ": at most ", kMaxLevels,
             " community levels are possible, got ", levels.size());
  impl_->agree_on_nodes(levels.front().num_nodes());
  for (std::size_t level = 0; level < levels.size(); ++level) {
    impl_->write_vector(format::level_name(level), Element::i64, levels[level].offsets());
  }
}

void DatasetWriter::write_splits(const Splits& splits) {
  impl_->begin_part(impl_->has_splits, "splits");
  // How many nodes there are may come later, so commit checks the upper end.
  check_splits(splits, std::numeric_limits<NodeId>::max(), impl_->path().c_str());
  for (const auto* ids : {&splits.train, &splits.valid, &splits.test}) {
    if (!ids->empty()) impl_->split_end = std::max(impl_->split_end, ids->back() + 1);
  }
  impl_->write_vector(format::kTrain, Element::i32, std::span(splits.train));
  impl_->write_vector(format::kValid, Element::i32, std::span(splits.valid));
  impl_->write_vector(format::kTest, Element::i32, std::span(splits.test));
}

void DatasetWriter::create_features(std::int64_t num_rows, std::int32_t dim, FeatureType type,
                                    std::size_t buffer_bytes) {
  impl_->begin_part(impl_->has_features, "features");
  KITH_CHECK(num_rows >= 0 && dim > 0 && dim <= kMaxFeatureDim, InvalidArgument, impl_->path(),
             ": features of ", num_rows, " x ", dim, " values are not possible");
  impl_->agree_on_nodes(num_rows);
  ArrayFile& array_file = impl_->array_file;
  const std::uint64_t offset =
      array_file.create(format::kFeatures, format::element_of(type),
                        {static_cast<std::uint64_t>(num_rows), static_cast<std::uint64_t>(dim)});
  array_file.set_attribute(format::kFeatures, format::kFeatureTypeAttribute, std::string(name_of(type)));
  impl_->features.emplace(array_file.file(), offset, num_rows, static_cast<std::size_t>(dim) * size_of(type),
                          buffer_bytes);
}

void DatasetWriter::write_feature_row(std::int64_t row, std::span<const std::byte> values) {
  KITH_CHECK(impl_->features && !impl_->is_committed, InvalidArgument, impl_->path(),
             ": no feature table is open");
  FeatureWriter& features = *impl_->features;
  KITH_CHECK(row >= 0 && row < features.num_rows(), InvalidArgument, impl_->path(),
             ": feature row must be in [0, ", features.num_rows(), "), got ", row);
  KITH_CHECK(values.size() == features.row_bytes(), InvalidArgument, impl_->path(), ": a feature row has ",
             features.row_bytes(), " bytes, got ", values.size());
  features.add(row, values);
}

void DatasetWriter::commit(const Provenance& provenance) {
  KITH_CHECK(!impl_->is_committed, InvalidArgument, impl_->path(), ": the file is committed already");
  KITH_CHECK(impl_->has_graph && impl_->has_nodes && impl_->has_levels && impl_->has_splits, InvalidArgument,
             impl_->path(), ": edges, nodes, communities and splits must be written before commit");
  KITH_CHECK(impl_->split_end <= *impl_->num_nodes, InvalidArgument, impl_->path(),
             ": the ids of the splits must be in [0, ", *impl_->num_nodes, "), got ", impl_->split_end - 1);
  ArrayFile& array_file = impl_->array_file;
  impl_->is_committed = true;
  if (impl_->features) {
    impl_->features->flush();
    array_file.set_checksum(format::kFeatures, checksum_of(array_file.file(), *impl_->features));
  }
  array_file.set_attribute("/", "format_version", kFormatVersion);
  array_file.set_attribute("/", "generator", std::string("kith"));
  array_file.set_attribute("/", "source", provenance.source);
  array_file.set_attribute("/", "method", provenance.method);
  array_file.set_attribute("/", "seed", provenance.seed);
  array_file.set_attribute("/", "directed", std::int32_t{provenance.directed});
  array_file.set_attribute("/", "num_classes", impl_->num_classes);
  array_file.set_attribute("/", "created", provenance.created.empty() ? utc_now() : provenance.created);
  array_file.publish();
}

void write_dataset(const std::string& path, const Dataset& dataset) {
  check_dataset(dataset, path.c_str());
  DatasetWriter writer(path);
  writer.write_graph(dataset.graph.view(), dataset.edge_id);
  writer.write_nodes(dataset.original_id, dataset.labels);
  writer.write_levels(dataset.levels);
  writer.write_splits(dataset.splits);
  const FeatureView features = dataset.features.view();
  if (features.num_rows > 0 && features.dim > 0) {
    writer.create_features(features.num_rows, features.dim, features.type);
    for (std::int64_t row = 0; row < features.num_rows; ++row) {
      writer.write_feature_row(row, {features.row(row), features.row_bytes()});
    }
  }
  writer.commit(dataset.provenance);
}

}  // namespace kith
