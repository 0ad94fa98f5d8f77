// Mean and attention aggregation over a block, forwards and backwards, at the size of the outermost layers of a
// GraphSAGE batch (1024 roots, fanout 15,10,5, one million nodes). Every case is verified against a plain loop
// before it is timed. over_gather: its time over that of reading the same rows and nothing else.
#include <benchmark/benchmark.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "bench/kernels/gather_reference.h"
#include "bench/kernels/random_block.h"
#include "kernels/backend.h"

namespace kith {
namespace {

using namespace bench;

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
  count_over_gather(state, block, x, [&] { backend->aggregate(block.view(), {}, x, out); });
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

/// Whether some rows of `out` are the weighted sums that a plain loop finds.
bool is_weighted_sum(const Block& block, const Tensor& weights, const Tensor& x, const Tensor& out) {
  const std::int64_t columns = x.cols() / weights.cols();
  for (std::int64_t v = 0; v < out.rows(); v += 997) {
    for (std::int64_t j = 0; j < out.cols(); ++j) {
      double sum = 0;
      for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
        sum += static_cast<double>(weights.data<float>()[e * weights.cols() + j / columns]) *
               x.data<float>()[block.sources[e] * x.cols() + j];
      }
      if (std::abs(sum - out.data<float>()[v * out.cols() + j]) > 1e-4) {
        return false;
      }
    }
  }
  return true;
}

/// state: shape, features, threads, heads.
void heads_forward(benchmark::State& state) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, state.range(2));
  const auto backend = make_cpu_backend();
  const Block block(kShapes[state.range(0)]);
  const Tensor x = random_tensor(*backend, block.num_sources, state.range(1));
  const Tensor weights = random_tensor(*backend, block.view().num_edges(), state.range(3));
  Tensor out = backend->empty(block.view().num_destinations(), x.cols(), Scalar::f32);
  backend->aggregate_heads(block.view(), weights, x, out);
  if (!is_weighted_sum(block, weights, x, out)) {
    state.SkipWithError("wrong result");
    return;
  }
  for (auto _ : state) {
    backend->aggregate_heads(block.view(), weights, x, out);
  }
  count_bytes(state, block.view().num_edges(), x.cols());
}

void heads_backward(benchmark::State& state) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, state.range(2));
  const auto backend = make_cpu_backend();
  const Block block(kShapes[state.range(0)]);
  const Tensor x = random_tensor(*backend, block.num_sources, state.range(1));
  const Tensor grad_out = random_tensor(*backend, block.view().num_destinations(), state.range(1));
  const Tensor weights = random_tensor(*backend, block.view().num_edges(), state.range(3));
  Tensor out = backend->empty(grad_out.rows(), grad_out.cols(), Scalar::f32);
  Tensor gradient = backend->zeros(x.rows(), x.cols(), Scalar::f32);
  backend->aggregate_heads(block.view(), weights, x, out);
  backend->aggregate_heads_backward(block.view(), weights, grad_out, gradient);
  if (!is_adjoint(x, out, grad_out, gradient)) {
    state.SkipWithError("wrong result");
    return;
  }
  for (auto _ : state) {
    backend->aggregate_heads_backward(block.view(), weights, grad_out, gradient);
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

BENCHMARK(heads_forward)
    ->ArgNames({"shape", "features", "threads", "heads"})
    ->ArgsProduct({{0, 1}, {64, 256}, {1, 2}, {1, 8}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(heads_backward)
    ->ArgNames({"shape", "features", "threads", "heads"})
    ->ArgsProduct({{0, 1}, {64, 256}, {1, 2}, {1, 8}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace kith

BENCHMARK_MAIN();
