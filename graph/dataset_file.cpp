// Reading. HDF5 only tells where the arrays lie; their bytes are read straight from the file, so no size that a
// damaged header claims is believed before it was compared with the size of the file.
#include "graph/dataset_file.h"

#include <algorithm>
#include <limits>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "graph/dataset_format.h"
#include "graph/errors.h"
#include "graph/file_catalog.h"
#include "graph/limits.h"
#include "graph/posix_file.h"

namespace kith {
namespace {

using format::Element;

constexpr std::size_t kChunkBytes = std::size_t{4} << 20;

/// Where everything lies; HDF5 is not needed any more once this stands.
struct Layout {
  Extent offsets, neighbors, original_id, train, valid, test;
  std::vector<Extent> levels;
  std::optional<Extent> edge_id, label, features;
  FeatureType feature_type = FeatureType::f32;
  std::int32_t num_classes = 0;
  Provenance provenance;
  std::vector<std::string> lost;  ///< optional arrays that are not there, although their checksums are

  std::vector<const Extent*> all() const {
    std::vector<const Extent*> extents{&offsets, &neighbors, &original_id, &train, &valid, &test};
    for (const Extent& level : levels) extents.push_back(&level);
    for (const auto* optional : {&edge_id, &label, &features}) {
      if (optional->has_value()) extents.push_back(&**optional);
    }
    return extents;
  }
};

void expect_count(const std::string& path, const Extent& extent, std::uint64_t expected, const char* per) {
  KITH_CHECK(extent.dims[0] == expected, IoError, path, ": ", extent.name, ": expected ", expected,
             " entries (one ", per, "), got ", extent.dims[0]);
}

void check_version(const std::string& path, const FileCatalog& catalog) {
  KITH_CHECK(catalog.has_attribute("format_version"), IoError, path,
             ": not a Kith dataset file (it has no format_version)");
  const std::int64_t version = catalog.integer("format_version");
  KITH_CHECK(version == kFormatVersion, IoError, path, ": format version ", version,
             ", but this program reads version ", kFormatVersion);
}

void locate_features(const std::string& path, const FileCatalog& catalog, Layout& layout) {
  if (!catalog.has(format::kFeatures)) return;
  layout.features = catalog.array(format::kFeatures, 2, {Element::f32, Element::f16, Element::u16});
  const std::string name = catalog.feature_type_name();
  const Element element = layout.features->element;
  for (const FeatureType type : {FeatureType::f32, FeatureType::f16, FeatureType::bf16}) {
    if (format::element_of(type) != element) continue;
    const bool is_named = name == name_of(type) || (name.empty() && type != FeatureType::bf16);
    KITH_CHECK(is_named, IoError, path, ": ", format::kFeatures, ": values stored as ",
               format::name_of(element), " need the attribute dtype = ", name_of(type), ", got '", name, "'");
    layout.feature_type = type;
  }
  KITH_CHECK(layout.features->dims[1] <= static_cast<std::uint64_t>(kMaxFeatureDim), IoError, path, ": ",
             format::kFeatures, ": at most ", kMaxFeatureDim, " columns are possible, got ",
             layout.features->dims[1]);
}

Provenance read_provenance(const FileCatalog& catalog) {
  return {.source = catalog.text("source"),
          .method = catalog.text("method"),
          .seed = static_cast<std::uint64_t>(catalog.integer("seed")),
          .directed = catalog.integer("directed") != 0,
          .created = catalog.text("created")};
}

void locate_nodes(const FileCatalog& catalog, Layout& layout) {
  layout.original_id = catalog.array(format::kOriginalId, 1, {Element::i64});
  if (!catalog.has(format::kLabel)) return;
  const bool is_multi_label = catalog.rank(format::kLabel) == 2;
  layout.label = is_multi_label ? catalog.array(format::kLabel, 2, {Element::u8})
                                : catalog.array(format::kLabel, 1, {Element::i32});
}

void check_shapes(const std::string& path, const Layout& layout) {
  KITH_CHECK(layout.offsets.dims[0] >= 1, IoError, path, ": ", format::kOffsets,
             ": expected at least one entry");
  const std::uint64_t num_nodes = layout.offsets.dims[0] - 1;
  KITH_CHECK(num_nodes <= std::numeric_limits<NodeId>::max(), IoError, path, ": ", format::kOffsets,
             ": at most 2^31 - 1 nodes are supported, got ", num_nodes);
  expect_count(path, layout.original_id, num_nodes, "a node");
  if (layout.edge_id) expect_count(path, *layout.edge_id, layout.neighbors.dims[0], "an edge");
  if (layout.features) expect_count(path, *layout.features, num_nodes, "a node");
  if (!layout.label) return;
  expect_count(path, *layout.label, num_nodes, "a node");
  KITH_CHECK(
      layout.label->dims.size() == 1 || layout.label->dims[1] == static_cast<std::uint64_t>(layout.num_classes),
      IoError, path, ": ", format::kLabel, ": expected ", layout.num_classes, " columns (num_classes), got ",
      layout.label->dims.back());
}

Layout locate(const std::string& path, const PosixFile& file) {
  const hdf5::Session session;
  const FileCatalog catalog(path, file.size());
  check_version(path, catalog);
  Layout layout;
  layout.provenance = read_provenance(catalog);
  const std::int64_t num_classes = catalog.integer("num_classes");
  KITH_CHECK(num_classes >= 0 && num_classes <= kMaxClasses, IoError, path, ": num_classes must lie in 0..",
             kMaxClasses, ", got ", num_classes);
  layout.num_classes = static_cast<std::int32_t>(num_classes);

  layout.offsets = catalog.array(format::kOffsets, 1, {Element::i64});
  layout.neighbors = catalog.array(format::kNeighbors, 1, {Element::i32});
  if (catalog.has(format::kEdgeId)) layout.edge_id = catalog.array(format::kEdgeId, 1, {Element::i64});
  locate_nodes(catalog, layout);
  do {
    KITH_CHECK(layout.levels.size() < kMaxLevels, IoError, path, ": at most ", kMaxLevels,
               " community levels are possible");
    layout.levels.push_back(catalog.array(format::level_name(layout.levels.size()).c_str(), 1, {Element::i64}));
  } while (catalog.has(format::level_name(layout.levels.size()).c_str()));
  locate_features(path, catalog, layout);
  layout.train = catalog.array(format::kTrain, 1, {Element::i32});
  layout.valid = catalog.array(format::kValid, 1, {Element::i32});
  layout.test = catalog.array(format::kTest, 1, {Element::i32});
  check_shapes(path, layout);
  for (const std::string& name : {std::string(format::kEdgeId), std::string(format::kLabel),
                                  std::string(format::kFeatures), format::level_name(layout.levels.size())}) {
    const bool has_checksum = catalog.has_attribute(format::checksum_attribute(name).c_str());
    if (has_checksum && !catalog.has(name.c_str())) layout.lost.push_back(name);
  }
  return layout;
}

void verify(const std::string& path, const PosixFile& file, const Extent& extent) {
  KITH_CHECK(!extent.checksum.empty(), IoError, path, ": ", extent.name, " has no checksum");
  format::Checksum actual;
  std::vector<std::byte> chunk(std::min<std::uint64_t>(kChunkBytes, extent.num_bytes));
  for (std::uint64_t done = 0; done < extent.num_bytes; done += chunk.size()) {
    chunk.resize(std::min<std::uint64_t>(chunk.size(), extent.num_bytes - done));
    file.read(extent.offset + done, chunk);
    actual.add(chunk);
  }
  KITH_CHECK(actual.text() == extent.checksum, IoError, path, ": ", extent.name,
             " is damaged: its checksum is ", actual.text(), ", the file says ", extent.checksum);
}

template <typename T>
std::vector<T> load(const PosixFile& file, const Extent& extent) {
  std::vector<T> values(extent.num_bytes / sizeof(T));
  file.read(extent.offset, std::as_writable_bytes(std::span(values)));
  return values;
}

FeatureStore load_features(const std::string& path, const PosixFile& file, const Layout& layout,
                           const ReadOptions& options) {
  const Extent& extent = *layout.features;
  const auto rows = static_cast<std::int64_t>(extent.dims[0]);
  const auto dim = static_cast<std::int32_t>(extent.dims[1]);
  if (options.leave_features) {
    return FeatureStore::in_file(path.c_str(), extent.offset, rows, dim, layout.feature_type);
  }
  if (options.map_features) {
    return FeatureStore::map_file(path.c_str(), extent.offset, rows, dim, layout.feature_type);
  }
  return FeatureStore(load<std::byte>(file, extent), rows, dim, layout.feature_type);
}

Dataset load_dataset(const std::string& path, const PosixFile& file, Layout layout,
                     const ReadOptions& options) {
  Dataset dataset;
  dataset.graph =
      CsrGraph(load<EdgeOffset>(file, layout.offsets), load<NodeId>(file, layout.neighbors), path.c_str());
  if (layout.edge_id) dataset.edge_id = load<std::int64_t>(file, *layout.edge_id);
  dataset.original_id = load<std::int64_t>(file, layout.original_id);
  dataset.labels.num_classes = layout.num_classes;
  if (layout.label && layout.label->dims.size() == 2) {
    dataset.labels.indicator = load<std::uint8_t>(file, *layout.label);
  } else if (layout.label) {
    dataset.labels.of_node = load<std::int32_t>(file, *layout.label);
  }
  for (const Extent& level : layout.levels) {
    const std::string who = path + ": " + level.name;
    dataset.levels.emplace_back(load<EdgeOffset>(file, level), dataset.num_nodes(), who.c_str());
  }
  dataset.splits = {.train = load<NodeId>(file, layout.train),
                    .valid = load<NodeId>(file, layout.valid),
                    .test = load<NodeId>(file, layout.test)};
  if (layout.features) dataset.features = load_features(path, file, layout, options);
  dataset.provenance = std::move(layout.provenance);
  check_dataset(dataset, path.c_str());
  return dataset;
}

}  // namespace

Dataset read_dataset(const std::string& path, const ReadOptions& options) {
  try {
    const PosixFile file = PosixFile::open(path);
    Layout layout = locate(path, file);
    if (options.verify_checksums) {
      KITH_CHECK(layout.lost.empty(), IoError, path, ": ", layout.lost.front(),
                 " has a checksum, but is missing");
      for (const Extent* extent : layout.all()) verify(path, file, *extent);
    }
    Dataset dataset = load_dataset(path, file, std::move(layout), options);
    if (options.check_features) {
      const std::optional<std::int64_t> bad = first_non_finite_row(dataset.features);
      KITH_CHECK(!bad, IoError, path, ": the features of node ", *bad, " hold a NaN or infinite value");
    }
    return dataset;
  } catch (const InvalidArgument& error) {
    throw IoError(error.what());  // the checks above were told to name the file
  } catch (const std::bad_alloc&) {
    throw EnvironmentError(path + ": not enough memory to read the file");
  }
}

}  // namespace kith
