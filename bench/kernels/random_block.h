// Random blocks of the size of a GraphSAGE batch, and what the benches over them share.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "graph/views.h"
#include "kernels/backend.h"

namespace kith::bench {

inline constexpr std::uint64_t kSeed = 7;

struct Shape {
  std::int32_t num_sources, num_destinations;
  std::int64_t num_edges;
};
/// The last is so small that the start of a call is what it costs; it also runs on the emulated device.
inline constexpr Shape kShapes[] = {
    {164'000, 107'000, 537'000}, {107'000, 15'500, 160'000}, {1'500, 400, 3'000}};

/// Owns a random block whose rows differ in length by at most one.
struct Block {
  std::vector<std::int32_t> offsets, sources;
  std::int32_t num_sources;

  explicit Block(const Shape& shape) : num_sources(shape.num_sources) {
    std::mt19937_64 random(kSeed);
    for (std::int64_t v = 0; v <= shape.num_destinations; ++v) {
      offsets.push_back(static_cast<std::int32_t>(shape.num_edges * v / shape.num_destinations));
    }
    for (std::int64_t e = 0; e < shape.num_edges; ++e) {
      sources.push_back(static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(num_sources)));
    }
  }
  BlockCsrView view() const { return {num_sources, offsets, sources}; }
};

inline Tensor random_tensor(Backend& backend, std::int64_t rows, std::int64_t cols) {
  std::mt19937_64 random(kSeed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Tensor x = backend.empty(rows, cols, Scalar::f32);
  std::ranges::generate(x.values<float>(), [&] { return uniform(random); });
  return x;
}

/// Whether <grad_out, op(x)> = <gradient, x>: the gradient of a linear op is its adjoint.
inline bool is_adjoint(const Tensor& x, const Tensor& out, const Tensor& grad_out, const Tensor& gradient) {
  const auto dot = [](const Tensor& a, const Tensor& b) {
    double sum = 0;
    for (std::int64_t i = 0; i < a.size(); ++i) {
      sum += static_cast<double>(a.data<float>()[i]) * b.data<float>()[i];
    }
    return sum;
  };
  return std::abs(dot(grad_out, out) - dot(gradient, x)) < 1e-4 * std::sqrt(static_cast<double>(x.size())) + 1;
}

inline void count_bytes(benchmark::State& state, std::int64_t rows, std::int64_t cols) {
  state.counters["read_GB/s"] = benchmark::Counter(static_cast<double>(rows * cols) * 4e-9,
                                                   benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace kith::bench
