// The dataset file (*.kith.h5, HDF5, format version 1). Only graph/hdf5.h includes <hdf5.h>.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "graph/dataset.h"
#include "graph/row_blocks.h"

namespace kith {

inline constexpr std::int32_t kFormatVersion = 1;

/// What DatasetWriter collects of the features before it writes.
inline constexpr std::size_t kFeatureBufferBytes = std::size_t{64} << 20;

/// How read_dataset treats a file.
struct ReadOptions {
  bool map_features = true;       ///< map the features instead of loading them
  bool leave_features = false;    ///< do neither: they stay in the file, see FeatureStore::in_file
  bool verify_checksums = false;  ///< read everything and compare every checksum first
  bool check_features = false;    ///< refuse NaN and infinite feature values (one pass over the features)
};

/// Reads a whole dataset. Checks the version, every shape and every range before anything is returned.
/// Throws IoError with one line that names the file and what is wrong with it.
Dataset read_dataset(const std::string& path, const ReadOptions& options = {});

/// Writes a file part by part to a temporary name beside `path`; commit() fsyncs and renames. Destroyed without
/// commit(), it removes the temporary file. Throws IoError (not writable), EnvironmentError (disk full).
class DatasetWriter {
 public:
  explicit DatasetWriter(const std::string& path);
  ~DatasetWriter();
  DatasetWriter(const DatasetWriter&) = delete;
  DatasetWriter& operator=(const DatasetWriter&) = delete;

  void write_graph(CsrView graph, std::span<const EdgeOffset> edge_id = {});  ///< edge_id: [num_edges] or empty
  /// The same for a graph that lies in files. edge_id_path: of i64 [num_edges], or empty. Throws IoError for
  /// rows that are not ascending ids of nodes.
  void write_graph(const RowBlocks& graph, const std::string& edge_id_path);
  void write_nodes(std::span<const std::int64_t> original_id, const Labels& labels);
  void write_levels(std::span<const Communities> levels);
  void write_splits(const Splits& splits);

  /// Reserves the feature table (contiguous, 4 KiB aligned). Rows not written are zero. buffer_bytes: rows are
  /// collected until they take so much (one row at least), and written in file order.
  void create_features(std::int64_t num_rows, std::int32_t dim, FeatureType type,
                       std::size_t buffer_bytes = kFeatureBufferBytes);
  /// Puts one row, row_bytes long, at its place; any order, through a bounded buffer, so the input may be
  /// streamed in source order.
  void write_feature_row(std::int64_t row, std::span<const std::byte> values);

  /// Writes attributes and checksums, fsyncs, renames to the final name.
  void commit(const Provenance& provenance);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Writes a whole dataset at once.
void write_dataset(const std::string& path, const Dataset& dataset);

}  // namespace kith
