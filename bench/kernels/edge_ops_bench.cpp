// Edge scores, edge softmax, their gradients, and edge dot products, at the sizes of aggregate_bench. Every
// case is verified against a plain loop before it is timed.
#include <tbb/global_control.h>

#include <cmath>
#include <memory>

#include "bench/kernels/random_block.h"

namespace kith {
namespace {

using namespace bench;

/// Whether the weights of some destinations are the softmax of their scores.
bool is_softmax(const Block& block, const Tensor& scores, const Tensor& out) {
  const std::int64_t heads = scores.cols();
  for (std::int64_t v = 0; v < block.view().num_destinations(); v += 997) {
    for (std::int64_t h = 0; h < heads; ++h) {
      double sum = 0;
      for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
        sum += std::exp(static_cast<double>(scores.data<float>()[e * heads + h]));
      }
      for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
        const double expected = std::exp(static_cast<double>(scores.data<float>()[e * heads + h])) / sum;
        if (std::abs(out.data<float>()[e * heads + h] - expected) > 1e-5) {
          return false;
        }
      }
    }
  }
  return true;
}

void count_edges(benchmark::State& state, const Block& block) {
  state.counters["edges/s"] = benchmark::Counter(static_cast<double>(block.view().num_edges()),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

/// state: shape, heads, threads.
void softmax(benchmark::State& state, bool is_backward) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, state.range(2));
  const auto backend = make_cpu_backend();
  const Block block(kShapes[state.range(0)]);
  const Tensor scores = random_tensor(*backend, block.view().num_edges(), state.range(1));
  Tensor out = backend->empty(scores.rows(), scores.cols(), Scalar::f32);
  Tensor gradient = backend->empty(scores.rows(), scores.cols(), Scalar::f32);
  backend->edge_softmax(block.view(), scores, out);
  if (!is_softmax(block, scores, out)) {
    state.SkipWithError("wrong result");
    return;
  }
  for (auto _ : state) {
    if (is_backward) {
      backend->edge_softmax_backward(block.view(), out, scores, gradient);
    } else {
      backend->edge_softmax(block.view(), scores, out);
    }
  }
  count_edges(state, block);
}

/// state: shape, heads, threads, features.
void dot(benchmark::State& state) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, state.range(2));
  const auto backend = make_cpu_backend();
  const Block block(kShapes[state.range(0)]);
  const Tensor x = random_tensor(*backend, block.num_sources, state.range(3));
  const Tensor y = random_tensor(*backend, block.view().num_destinations(), state.range(3));
  Tensor out = backend->empty(block.view().num_edges(), state.range(1), Scalar::f32);
  backend->edge_dot(block.view(), x, y, out);
  double sum = 0;
  for (std::int64_t j = 0; j < x.cols() / out.cols(); ++j) {
    sum += static_cast<double>(x.data<float>()[block.sources[0] * x.cols() + j]) * y.data<float>()[j];
  }
  if (std::abs(out.data<float>()[0] - sum) > 1e-4) {
    state.SkipWithError("wrong result");
    return;
  }
  for (auto _ : state) {
    backend->edge_dot(block.view(), x, y, out);
  }
  count_edges(state, block);
  count_bytes(state, block.view().num_edges(), x.cols());
}

/// state: shape, heads, threads.
void scores(benchmark::State& state, bool is_backward) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, state.range(2));
  const auto backend = make_cpu_backend();
  const Block block(kShapes[state.range(0)]);
  const std::int64_t heads = state.range(1), num_edges = block.view().num_edges();
  constexpr double kSlope = 0.2;
  Tensor at_source = random_tensor(*backend, block.num_sources, heads);
  Tensor at_destination = random_tensor(*backend, block.view().num_destinations(), heads);
  Tensor out = backend->empty(num_edges, heads, Scalar::f32);
  backend->edge_scores(block.view(), at_source, at_destination, kSlope, out);
  const double sum = static_cast<double>(at_source.data<float>()[block.sources[0] * heads]) +
                     static_cast<double>(at_destination.data<float>()[0]);
  const Tensor grad = random_tensor(*backend, num_edges, heads);
  Tensor grad_source = backend->empty(at_source.rows(), heads, Scalar::f32);
  Tensor grad_destination = backend->empty(at_destination.rows(), heads, Scalar::f32);
  const auto run_backward = [&] {
    backend->edge_scores_backward(block.view(), kSlope, out, grad,
                                  {.at_source = &grad_source, .at_destination = &grad_destination});
  };
  run_backward();
  // Every edge adds the same to its two ends.
  double total = 0;
  for (const float g : grad_source.values<float>()) total += g;
  for (const float g : grad_destination.values<float>()) total -= g;
  if (std::abs(out.data<float>()[0] - (sum > 0 ? sum : kSlope * sum)) > 1e-5 || std::abs(total) > 1) {
    state.SkipWithError("wrong result");
    return;
  }
  for (auto _ : state) {
    if (is_backward) {
      run_backward();
    } else {
      backend->edge_scores(block.view(), at_source, at_destination, kSlope, out);
    }
  }
  count_edges(state, block);
}

void with_cases(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"shape", "heads", "threads"})
      ->ArgsProduct({{0, 1}, {1, 4, 8}, {1, 2}})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

BENCHMARK_CAPTURE(scores, forward, false)->Apply(with_cases);
BENCHMARK_CAPTURE(scores, backward, true)->Apply(with_cases);
BENCHMARK_CAPTURE(softmax, forward, false)->Apply(with_cases);
BENCHMARK_CAPTURE(softmax, backward, true)->Apply(with_cases);
BENCHMARK(dot)
    ->ArgNames({"shape", "heads", "threads", "features"})
    ->ArgsProduct({{0, 1}, {1, 8}, {1, 2}, {64, 256}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace kith

BENCHMARK_MAIN();
