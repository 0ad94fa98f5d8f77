#include "kernels/cpu/dropout.h"

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/multiversion.h"
#include "kernels/cpu/parallel.h"
#include "kernels/dispatch.h"
#include "kernels/dropout_mask.h"

namespace kith::cpu {
namespace {

constexpr int kLanes = kDropoutLanes;  // few enough for the first-level cache, too many to unroll
constexpr std::int64_t kElementsPerTile = 1 << 15;
static_assert(kElementsPerTile % kDropoutBlock == 0);

/// The draws of one block. Random123's Philox4x32-10 (Salmon et al., SC 2011) with its rounds outside and
/// eight counters inside, which the compiler turns into vector code; the library's own call is scalar.
KITH_INLINE void draw_block(const DropoutMask& mask, std::uint64_t block, std::uint32_t* __restrict draws) {
  std::uint32_t a[kLanes], b[kLanes], c[kLanes], d[kLanes];
  const std::uint64_t first_call = block * kLanes;
  for (int l = 0; l < kLanes; ++l) {
    a[l] = static_cast<std::uint32_t>(first_call) + static_cast<std::uint32_t>(l);
    b[l] = static_cast<std::uint32_t>(first_call >> 32) | mask.step_high;
    c[l] = mask.step;
    d[l] = mask.layer;
  }
  std::uint32_t key0 = mask.key[0];
  std::uint32_t key1 = mask.key[1];
  for (int round = 0; round < 10; ++round) {
    for (int l = 0; l < kLanes; ++l) {
      const std::uint64_t product0 = std::uint64_t{0xD2511F53} * a[l];
      const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * c[l];
      a[l] = static_cast<std::uint32_t>(product1 >> 32) ^ b[l] ^ key0;
      b[l] = static_cast<std::uint32_t>(product1);
      c[l] = static_cast<std::uint32_t>(product0 >> 32) ^ d[l] ^ key1;
      d[l] = static_cast<std::uint32_t>(product0);
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  const std::uint32_t* const words[] = {a, b, c, d};
  for (int w = 0; w < 4; ++w) {
    for (int l = 0; l < kLanes; ++l) {
      draws[2 * w * kLanes + l] = words[w][l] & 0xffff;
      draws[(2 * w + 1) * kLanes + l] = words[w][l] >> 16;
    }
  }
}

/// Elements [first, last); first is a multiple of kDropoutBlock.
template <typename T>
KITH_MULTIVERSION void relu_dropout_range(const DropoutMask& mask, T scale, std::int64_t first,
                                          std::int64_t last, T* x) {
  alignas(64) std::uint32_t draws[kDropoutBlock];
  const std::uint32_t threshold = mask.threshold;
  for (std::int64_t begin = first; begin < last; begin += kDropoutBlock) {
    draw_block(mask, static_cast<std::uint64_t>(begin / kDropoutBlock), draws);
    const std::int64_t count = std::min(last - begin, kDropoutBlock);
    T* const values = x + begin;
    for (std::int64_t i = 0; i < count; ++i) {
      const T scaled = values[i] * scale;
      const T positive = scaled <= T{0} ? T{0} : scaled;
      values[i] = draws[i] < threshold ? T{0} : positive;
    }
  }
}

/// Adds the bias to elements [first, last), which then are in the cache for what follows.
template <typename T>
KITH_MULTIVERSION void add_bias_range(const T* __restrict bias, std::int64_t cols, std::int64_t first,
                                      std::int64_t last, T* __restrict x) {
  for (std::int64_t i = first; i < last;) {
    const std::int64_t column = i % cols;
    const std::int64_t count = std::min(cols - column, last - i);
    for (std::int64_t j = 0; j < count; ++j) x[i + j] += bias[column + j];
    i += count;
  }
}

template <typename T>
KITH_MULTIVERSION void relu_range(std::int64_t first, std::int64_t last, T* __restrict x) {
  for (std::int64_t i = first; i < last; ++i) {
    x[i] = x[i] <= T{0} ? T{0} : x[i];
  }
}

template <typename T>
KITH_MULTIVERSION void backward_range(T scale, std::int64_t first, std::int64_t last, const T* __restrict y,
                                      T* __restrict grad) {
  for (std::int64_t i = first; i < last; ++i) {
    const T scaled = grad[i] * scale;
    grad[i] = y[i] > T{0} ? scaled : T{0};
  }
}

}  // namespace

void bias_relu_dropout(const Tensor* bias, const Dropout& dropout, Tensor& x) {
  const DropoutMask mask = make_dropout_mask(dropout);
  with_scalar(x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    for_tiles(x.size(), kElementsPerTile, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      if (bias != nullptr) add_bias_range<T>(bias->data<T>(), x.cols(), first, last, x.data<T>());
      if (dropout.rate == 0) {
        relu_range<T>(first, last, x.data<T>());
      } else {
        relu_dropout_range<T>(mask, static_cast<T>(1 / (1 - dropout.rate)), first, last, x.data<T>());
      }
    });
  });
}

void relu_dropout_backward(const Dropout& dropout, const Tensor& y, Tensor& grad) {
  with_scalar(grad.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const T scale = static_cast<T>(1 / (1 - dropout.rate));
    for_tiles(grad.size(), kElementsPerTile, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      backward_range<T>(scale, first, last, y.data<T>(), grad.data<T>());
    });
  });
}

}  // namespace kith::cpu
