// What the tests of the importers share: a source's edges and features as lists, and tiny .npz files.
#pragma once

#include <gtest/gtest.h>
#include <zip.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "datasets/source.h"
#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"

namespace kith::test {

using Pairs = std::vector<std::pair<NodeId, NodeId>>;

inline Pairs edges_of(Source& source) {
  Pairs edges;
  source.for_each_edges([&](std::span<const Edge> chunk) {
    for (const Edge& edge : chunk) edges.emplace_back(edge.source, edge.target);
  });
  return edges;
}

inline std::vector<std::vector<float>> rows_of(Source& source) {
  std::vector<std::vector<float>> rows;
  source.for_each_feature_row([&](NodeId v, std::span<const float> row) {
    EXPECT_EQ(v, static_cast<NodeId>(rows.size()));
    rows.emplace_back(row.begin(), row.end());
  });
  return rows;
}

/// The error of opening `path` and streaming everything in it.
inline std::string error_of_reading(const std::string& path, SourceFormat format) {
  return error_of<IoError>([&] {
    const auto source = open_source(path, format);
    edges_of(*source);
    rows_of(*source);
  });
}

/// The folder of real graphs, or "" if the environment names none.
inline std::string real_data() {
  const char* folder = std::getenv("KITH_DATA_DIR");
  return folder != nullptr && std::filesystem::is_directory(folder) ? folder : "";
}

inline void write_gzip(const std::string& path, const std::string& text) {
  gzFile file = gzopen(path.c_str(), "wb");
  const bool is_written = file != nullptr && gzwrite(file, text.data(), static_cast<unsigned>(text.size())) ==
                                                 static_cast<int>(text.size());
  if (!is_written || gzclose(file) != Z_OK) throw std::runtime_error("cannot write " + path);
}

/// The bytes of an .npy entry with any header that the test likes.
inline std::string npy_bytes(const std::string& type, const std::string& shape, const std::string& values,
                             bool is_fortran = false) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': " + (is_fortran ? "True" : "False") +
                       ", 'shape': " + shape + ", }\n";
  const auto length = static_cast<std::uint16_t>(header.size());
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes.push_back(static_cast<char>(length & 0xFF));
  bytes.push_back(static_cast<char>(length >> 8));
  return bytes + header + values;
}

template <typename T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

using NpzEntries = std::vector<std::pair<std::string, std::string>>;

/// Writes entries key -> bytes, deflated or stored.
inline void write_npz(const std::string& path, const NpzEntries& entries, bool is_deflated = true) {
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (archive == nullptr) throw std::runtime_error("cannot write " + path);
  for (const auto& [key, bytes] : entries) {
    zip_source_t* source = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
    const zip_int64_t index = zip_file_add(archive, (key + ".npy").c_str(), source, ZIP_FL_OVERWRITE);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index),
                             is_deflated ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  if (zip_close(archive) != 0) throw std::runtime_error("cannot write " + path);
}

}  // namespace kith::test
