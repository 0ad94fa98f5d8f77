// Max aggregation over a block, forwards and backwards, at the sizes of aggregate_bench. Every case is verified
// against a plain loop before it is timed.
#include <tbb/global_control.h>

#include <memory>
#include <vector>

#include "bench/kernels/random_block.h"

namespace kith {
namespace {

using namespace bench;

/// Whether some rows of `out` and `argmax` are what a plain loop finds.
bool is_max(const Block& block, const Tensor& x, const Tensor& out, const std::vector<std::int32_t>& argmax) {
  for (std::int64_t v = 0; v < out.rows(); v += 997) {
    for (std::int64_t i = v * out.cols(); i < (v + 1) * out.cols(); ++i) {
      std::int32_t winner = -1;
      const auto value = [&](std::int32_t e) {
        return x.data<float>()[block.sources[e] * x.cols() + i % out.cols()];
      };
      for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
        winner = winner < 0 || value(e) > value(winner) ? e : winner;
      }
      if (argmax[i] != winner || out.data<float>()[i] != (winner < 0 ? 0 : value(winner))) {
        return false;
      }
    }
  }
  return true;
}

/// state: shape, features, threads.
void max_op(benchmark::State& state, bool is_backward) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, state.range(2));
  const auto backend = make_cpu_backend();
  const Block block(kShapes[state.range(0)]);
  const Tensor x = random_tensor(*backend, block.num_sources, state.range(1));
  const Tensor grad_out = random_tensor(*backend, block.view().num_destinations(), state.range(1));
  Tensor out = backend->empty(grad_out.rows(), grad_out.cols(), Scalar::f32);
  Tensor gradient = backend->zeros(x.rows(), x.cols(), Scalar::f32);
  std::vector<std::int32_t> argmax(static_cast<std::size_t>(out.size()));
  backend->aggregate_max(block.view(), x, out, argmax);
  backend->aggregate_max_backward(block.view(), argmax, grad_out, gradient);
  // With the winners held fixed the maximum is linear.
  if (!is_max(block, x, out, argmax) || !is_adjoint(x, out, grad_out, gradient)) {
    state.SkipWithError("wrong result");
    return;
  }
  for (auto _ : state) {
    if (is_backward) {
      backend->aggregate_max_backward(block.view(), argmax, grad_out, gradient);
    } else {
      backend->aggregate_max(block.view(), x, out, argmax);
    }
  }
  count_bytes(state, block.view().num_edges(), x.cols());
}

void with_cases(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"shape", "features", "threads"})
      ->ArgsProduct({{0, 1}, {100, 256}, {1, 2}})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

BENCHMARK_CAPTURE(max_op, forward, false)->Apply(with_cases);
BENCHMARK_CAPTURE(max_op, backward, true)->Apply(with_cases);

}  // namespace
}  // namespace kith

BENCHMARK_MAIN();
