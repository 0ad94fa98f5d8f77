// Mean aggregation over a block, forwards and backwards, at the size of the outermost layers of a GraphSAGE
// batch (1024 roots, fanout 15,10,5, one million nodes). Every case is verified against a plain loop before it
// is timed.
#include <benchmark/benchmark.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "kernels/backend.h"

namespace kith {
namespace {

constexpr std::uint64_t kSeed = 7;

struct Shape {
  std::int32_t num_sources, num_destinations;
  std::int64_t num_edges;
};
constexpr Shape kShapes[] = {{164'000, 107'000, 537'000}, {107'000, 15'500, 160'000}};

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

Tensor random_tensor(Backend& backend, std::int64_t rows, std::int64_t cols) {
  std::mt19937_64 random(kSeed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Tensor x = backend.empty(rows, cols, Scalar::f32);
  std::ranges::generate(x.values<float>(), [&] { return uniform(random); });
  return x;
}

/// Whether some rows of `out` are the means that a plain loop finds.
bool is_mean(const Block& block, const Tensor& x, const Tensor& out) {
  for (std::int64_t v = 0; v < out.rows(); v += 997) {
    for (std::int64_t j = 0; j < out.cols(); ++j) {
      double sum = 0;
      for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
        sum += x.data<float>()[block.sources[e] * x.cols() + j];
      }
      const double mean = sum / std::max(1, block.offsets[v + 1] - block.offsets[v]);
      if (std::abs(mean - out.data<float>()[v * out.cols() + j]) > 1e-5) {
        return false;
      }
    }
  }
  return true;
}

/// Whether <grad_out, mean(x)> = <gradient, x>: the gradient is the adjoint.
bool is_adjoint(const Tensor& x, const Tensor& out, const Tensor& grad_out, const Tensor& gradient) {
  const auto dot = [](const Tensor& a, const Tensor& b) {
    double sum = 0;
    for (std::int64_t i = 0; i < a.size(); ++i) {
      sum += static_cast<double>(a.data<float>()[i]) * b.data<float>()[i];
    }
    return sum;
  };
  return std::abs(dot(grad_out, out) - dot(gradient, x)) < 1e-4 * std::sqrt(static_cast<double>(x.size())) + 1;
}

void count_bytes(benchmark::State& state, std::int64_t rows, std::int64_t cols) {
  state.counters["read_GB/s"] = benchmark::Counter(static_cast<double>(rows * cols) * 4e-9,
                                                   benchmark::Counter::kIsIterationInvariantRate);
}

void forward(benchmark::State& state) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, state.range(2));
  const auto backend = make_cpu_backend();
  const Block block(kShapes[state.range(0)]);
  const Tensor x = random_tensor(*backend, block.num_sources, state.range(1));
  Tensor out = backend->empty(block.view().num_destinations(), x.cols(), Scalar::f32);
  backend->aggregate(block.view(), {}, x, out);
  if (!is_mean(block, x, out)) {
    state.SkipWithError("wrong result");
    return;
  }
  for (auto _ : state) {
    backend->aggregate(block.view(), {}, x, out);
  }
  count_bytes(state, block.view().num_edges(), x.cols());
}

void forward_table(benchmark::State& state) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, state.range(2));
  const auto type = static_cast<FeatureType>(state.range(3));
  const auto backend = make_cpu_backend();
  const Block block(kShapes[state.range(0)]);
  const std::size_t width = type == FeatureType::f32 ? 4 : 2;
  const std::vector<std::byte> bytes(static_cast<std::size_t>(block.num_sources) * state.range(1) * width);
  const FeatureView table{bytes.data(), block.num_sources, static_cast<std::int32_t>(state.range(1)), type};
  std::vector<NodeId> ids(static_cast<std::size_t>(block.num_sources));
  std::ranges::generate(ids, [next = block.num_sources]() mutable { return --next; });
  Tensor out = backend->empty(block.view().num_destinations(), state.range(1), Scalar::f32);
  backend->fill(out, 1);
  backend->aggregate(block.view(), {}, table, ids, out);
  if (std::ranges::any_of(out.values<float>(), [](float value) { return value != 0; })) {
    state.SkipWithError("wrong result: the mean of zeros is zero");
    return;
  }
  for (auto _ : state) {
    backend->aggregate(block.view(), {}, table, ids, out);
  }
  state.counters["read_GB/s"] = benchmark::Counter(
      static_cast<double>(block.view().num_edges() * state.range(1)) * static_cast<double>(width) * 1e-9,
      benchmark::Counter::kIsIterationInvariantRate);
}

void backward(benchmark::State& state) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, state.range(2));
  const auto backend = make_cpu_backend();
  const Block block(kShapes[state.range(0)]);
  const Tensor x = random_tensor(*backend, block.num_sources, state.range(1));
  const Tensor grad_out = random_tensor(*backend, block.view().num_destinations(), state.range(1));
  Tensor out = backend->empty(grad_out.rows(), grad_out.cols(), Scalar::f32);
  Tensor gradient = backend->zeros(x.rows(), x.cols(), Scalar::f32);
  backend->aggregate(block.view(), {}, x, out);
  backend->aggregate_backward(block.view(), {}, grad_out, gradient);
  if (!is_adjoint(x, out, grad_out, gradient)) {
    state.SkipWithError("wrong result");
    return;
  }
  for (auto _ : state) {
    backend->aggregate_backward(block.view(), {}, grad_out, gradient);
  }
  count_bytes(state, block.view().num_edges(), x.cols());
}

BENCHMARK(forward)
    ->ArgNames({"shape", "features", "threads"})
    ->ArgsProduct({{0, 1}, {100, 256}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(forward_table)
    ->ArgNames({"shape", "features", "threads", "type"})
    ->ArgsProduct({{0}, {100, 256}, {2}, {0, 1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(backward)
    ->ArgNames({"shape", "features", "threads"})
    ->ArgsProduct({{0, 1}, {100, 256}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace kith

BENCHMARK_MAIN();
