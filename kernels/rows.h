// Rows of values as kernels see them: a tensor or a feature table, read in place or through ids.
#pragma once

#include <cstddef>
#include <cstdint>

#include "graph/feature_store.h"
#include "graph/types.h"
#include "kernels/tensor.h"

namespace kith {

/// Row-major rows of `dim` values; row u of a block is data[ids[u]], or data[u] where ids is null.
struct Rows {
  enum class Type : std::uint8_t { f32, f64, f16, bf16 };

  const void* data = nullptr;
  std::int64_t dim = 0;
  Type type = Type::f32;
  const NodeId* ids = nullptr;

  static Rows of(const Tensor& x) {
    return {.data = x.data<std::byte>(),
            .dim = x.cols(),
            .type = x.scalar() == Scalar::f32 ? Type::f32 : Type::f64};
  }
  static Rows of(FeatureView table, const NodeId* ids) {
    const Type type = table.type == FeatureType::f32   ? Type::f32
                      : table.type == FeatureType::f16 ? Type::f16
                                                       : Type::bf16;
    return {.data = table.data, .dim = table.dim, .type = type, .ids = ids};
  }
};

/// Rows [first, first + table.num_rows) of a larger table.
struct TableSlice {
  FeatureView table;
  NodeId first = 0;
};

/// Calls body(Source{}) with the storage type of the rows. Half, BFloat16: how the device holds those.
template <typename Half, typename BFloat16, typename Body>
void with_type(Rows::Type type, const Body& body) {
  switch (type) {
    case Rows::Type::f32:
      return body(float{});
    case Rows::Type::f64:
      return body(double{});
    case Rows::Type::f16:
      return body(Half{});
    case Rows::Type::bf16:
      return body(BFloat16{});
  }
}

}  // namespace kith
