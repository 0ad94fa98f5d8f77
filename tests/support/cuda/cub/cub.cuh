// The part of CUB that Kith calls, for the emulated device. Every function is called twice: without temporary
// storage it says how many bytes it needs, with it it works.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/cuda/emulated/runtime.h"

namespace kith::emulation {

/// The first or the second call; the storage is written to, so that one that is smaller than it claims is
/// noticed.
template <typename Body>
cudaError_t cub_call(const char* name, void* storage, std::size_t& bytes, std::int64_t count,
                     cudaStream_t stream, Body body) {
  const std::size_t needed = 256 + static_cast<std::size_t>(count);
  if (storage == nullptr) {
    bytes = needed;
    return cudaSuccess;
  }
  return api_call([&](Runtime&) {
    if (bytes < needed) {
      return cudaErrorInvalidValue;
    }
    issue_library_work(stream, name, [=] {
      std::memset(storage, 1, needed);
      body();
    });
    return cudaSuccess;
  });
}

/// Bits [begin_bit, end_bit) of a key, in an order that is the order of the keys.
template <typename Key>
std::uint64_t key_bits(Key key, int begin_bit, int end_bit) {
  using Unsigned = std::conditional_t<sizeof(Key) == 8, std::uint64_t,
                                      std::conditional_t<sizeof(Key) == 4, std::uint32_t, std::uint16_t>>;
  static_assert(sizeof(Key) == sizeof(Unsigned));
  constexpr Unsigned kSign = Unsigned{1} << (8 * sizeof(Key) - 1);
  auto bits = std::bit_cast<Unsigned>(key);
  if constexpr (std::is_floating_point_v<Key>) {
    bits = (bits & kSign) != 0 ? static_cast<Unsigned>(~bits) : static_cast<Unsigned>(bits | kSign);
  } else if constexpr (std::is_signed_v<Key>) {
    bits ^= kSign;
  }
  const int width = end_bit - begin_bit;
  const std::uint64_t mask = width >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
  return static_cast<std::uint64_t>(bits) >> begin_bit & mask;
}

/// The stable order of the keys.
template <typename Key>
std::vector<std::int64_t> sorted_order(const Key* keys, std::int64_t count, int begin_bit, int end_bit,
                                       bool is_descending) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    const std::uint64_t x = key_bits(keys[a], begin_bit, end_bit);
    const std::uint64_t y = key_bits(keys[b], begin_bit, end_bit);
    return is_descending ? y < x : x < y;
  });
  return order;
}

}  // namespace kith::emulation

// NOLINTBEGIN: names are CUB's
namespace cub {

struct DeviceScan {
  template <typename In, typename Out>
  static cudaError_t ExclusiveSum(void* storage, std::size_t& bytes, In in, Out out, std::int64_t count,
                                  cudaStream_t stream = nullptr) {
    return kith::emulation::cub_call("cub::DeviceScan::ExclusiveSum", storage, bytes, count, stream, [=] {
      auto sum = std::decay_t<decltype(in[0])>();
      for (std::int64_t i = 0; i < count; ++i) {
        const auto value = in[i];  // before the output, which may be the same array
        out[i] = sum;
        sum = sum + value;
      }
    });
  }

  template <typename In, typename Out, typename Operation>
  static cudaError_t InclusiveScan(void* storage, std::size_t& bytes, In in, Out out, Operation operation,
                                   std::int64_t count, cudaStream_t stream = nullptr) {
    return kith::emulation::cub_call("cub::DeviceScan::InclusiveScan", storage, bytes, count, stream, [=] {
      for (std::int64_t i = 0; i < count; ++i) {
        out[i] = i == 0 ? in[i] : operation(out[i - 1], in[i]);
      }
    });
  }

  template <typename In, typename Out>
  static cudaError_t InclusiveSum(void* storage, std::size_t& bytes, In in, Out out, std::int64_t count,
                                  cudaStream_t stream = nullptr) {
    return kith::emulation::cub_call("cub::DeviceScan::InclusiveSum", storage, bytes, count, stream, [=] {
      auto sum = std::decay_t<decltype(in[0])>();
      for (std::int64_t i = 0; i < count; ++i) {
        sum = sum + in[i];
        out[i] = sum;
      }
    });
  }
};

struct DeviceReduce {
  template <typename In, typename Out>
  static cudaError_t Sum(void* storage, std::size_t& bytes, In in, Out out, std::int64_t count,
                         cudaStream_t stream = nullptr) {
    return kith::emulation::cub_call("cub::DeviceReduce::Sum", storage, bytes, count, stream, [=] {
      auto sum = std::decay_t<decltype(in[0])>();
      for (std::int64_t i = 0; i < count; ++i) {
        sum = sum + in[i];
      }
      *out = sum;
    });
  }

  /// Of nothing: the smallest value of the type.
  template <typename In, typename Out>
  static cudaError_t Max(void* storage, std::size_t& bytes, In in, Out out, std::int64_t count,
                         cudaStream_t stream = nullptr) {
    return kith::emulation::cub_call("cub::DeviceReduce::Max", storage, bytes, count, stream, [=] {
      auto result = std::numeric_limits<std::decay_t<decltype(in[0])>>::lowest();
      for (std::int64_t i = 0; i < count; ++i) {
        result = std::max<decltype(result)>(result, in[i]);
      }
      *out = result;
    });
  }
};

struct DeviceRadixSort {
  template <typename Key>
  static cudaError_t SortKeys(void* storage, std::size_t& bytes, const Key* in, Key* out, std::int64_t count,
                              int begin_bit = 0, int end_bit = 8 * sizeof(Key), cudaStream_t stream = nullptr) {
    return kith::emulation::cub_call("cub::DeviceRadixSort::SortKeys", storage, bytes, count, stream, [=] {
      const std::vector<std::int64_t> order =
          kith::emulation::sorted_order(in, count, begin_bit, end_bit, false);
      for (std::int64_t i = 0; i < count; ++i) {
        out[i] = in[order[static_cast<std::size_t>(i)]];
      }
    });
  }

  template <typename Key, typename Value>
  static cudaError_t SortPairs(void* storage, std::size_t& bytes, const Key* in, Key* out,
                               const Value* values_in, Value* values_out, std::int64_t count, int begin_bit = 0,
                               int end_bit = 8 * sizeof(Key), cudaStream_t stream = nullptr) {
    return sort_pairs("cub::DeviceRadixSort::SortPairs", false, storage, bytes, in, out, values_in, values_out,
                      count, begin_bit, end_bit, stream);
  }

  template <typename Key, typename Value>
  static cudaError_t SortPairsDescending(void* storage, std::size_t& bytes, const Key* in, Key* out,
                                         const Value* values_in, Value* values_out, std::int64_t count,
                                         int begin_bit = 0, int end_bit = 8 * sizeof(Key),
                                         cudaStream_t stream = nullptr) {
    return sort_pairs("cub::DeviceRadixSort::SortPairsDescending", true, storage, bytes, in, out, values_in,
                      values_out, count, begin_bit, end_bit, stream);
  }

 private:
  template <typename Key, typename Value>
  static cudaError_t sort_pairs(const char* name, bool is_descending, void* storage, std::size_t& bytes,
                                const Key* in, Key* out, const Value* values_in, Value* values_out,
                                std::int64_t count, int begin_bit, int end_bit, cudaStream_t stream) {
    return kith::emulation::cub_call(name, storage, bytes, count, stream, [=] {
      const std::vector<std::int64_t> order =
          kith::emulation::sorted_order(in, count, begin_bit, end_bit, is_descending);
      for (std::int64_t i = 0; i < count; ++i) {
        out[i] = in[order[static_cast<std::size_t>(i)]];
        values_out[i] = values_in[order[static_cast<std::size_t>(i)]];
      }
    });
  }
};

struct DeviceSelect {
  template <typename In, typename Flags, typename Out, typename Count>
  static cudaError_t Flagged(void* storage, std::size_t& bytes, In in, Flags flags, Out out, Count num_selected,
                             std::int64_t count, cudaStream_t stream = nullptr) {
    return kith::emulation::cub_call("cub::DeviceSelect::Flagged", storage, bytes, count, stream, [=] {
      std::int64_t selected = 0;
      for (std::int64_t i = 0; i < count; ++i) {
        if (flags[i]) {
          out[selected++] = in[i];
        }
      }
      *num_selected = static_cast<std::decay_t<decltype(*num_selected)>>(selected);
    });
  }
};

struct DeviceRunLengthEncode {
  template <typename In, typename Unique, typename Lengths, typename Count>
  static cudaError_t Encode(void* storage, std::size_t& bytes, In in, Unique unique, Lengths lengths,
                            Count num_runs, std::int64_t count, cudaStream_t stream = nullptr) {
    return kith::emulation::cub_call("cub::DeviceRunLengthEncode::Encode", storage, bytes, count, stream, [=] {
      std::int64_t runs = 0;
      for (std::int64_t i = 0; i < count; ++i) {
        if (i == 0 || !(in[i] == in[i - 1])) {
          unique[runs] = in[i];
          lengths[runs++] = 0;
        }
        lengths[runs - 1] += 1;
      }
      *num_runs = static_cast<std::decay_t<decltype(*num_runs)>>(runs);
    });
  }
};

}  // namespace cub
// NOLINTEND
