// Python 2 pickles of arrays, sparse matrices and adjacency dicts, written out by hand.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/datasets/source_support.h"

namespace kith::test {

inline std::string pickled_int(std::int64_t value) { return "I" + std::to_string(value) + "\n"; }

/// What leaves an array of `type` on the stack.
inline std::string pickled_array(const std::string& type, const std::vector<std::int64_t>& shape,
                                 const std::string& values, const std::string& order = "<") {
  std::string sizes;
  for (const std::int64_t extent : shape) sizes += pickled_int(extent);
  const auto length = static_cast<std::uint32_t>(values.size());
  return "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(" + sizes +
         "tcnumpy\ndtype\n(S'" + type + "'\nI0\nI1\ntR(I3\nS'" + order + "'\nNNNI-1\nI-1\nI0\ntbI00\nT" +
         std::string(reinterpret_cast<const char*>(&length), 4) + values + "tb";
}

/// What leaves a csr_matrix of float32 ones on the stack.
inline std::string pickled_matrix(std::int64_t num_rows, std::int64_t num_columns,
                                  const std::vector<std::int32_t>& bounds,
                                  const std::vector<std::int32_t>& columns) {
  const auto count = static_cast<std::int64_t>(columns.size());
  return "ccopy_reg\n_reconstructor\n(cscipy.sparse.csr\ncsr_matrix\nc__builtin__\nobject\nNtR(dS'_shape'\n(" +
         pickled_int(num_rows) + pickled_int(num_columns) + "tsS'indptr'\n" +
         pickled_array("i4", {static_cast<std::int64_t>(bounds.size())}, raw(bounds)) + "sS'indices'\n" +
         pickled_array("i4", {count}, raw(columns)) + "sS'data'\n" +
         pickled_array("f4", {count}, raw(std::vector<float>(columns.size(), 1.0F))) + "sb";
}

/// What leaves a defaultdict of lists on the stack.
inline std::string pickled_graph(const std::vector<std::pair<int, std::vector<int>>>& lists) {
  std::string text = "ccollections\ndefaultdict\n(c__builtin__\nlist\ntR";
  for (const auto& [node, neighbors] : lists) {
    text += pickled_int(node) + "(l";
    for (const int neighbor : neighbors) text += pickled_int(neighbor) + "a";
    text += "s";
  }
  return text;
}

}  // namespace kith::test
