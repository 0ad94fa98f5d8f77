// The operations over blocks on every device, at the sizes of aggregate_bench: bytes per second beside
// cuSPARSE's and beside a copy on the same device. Every case is verified against a plain loop before it is
// timed. Blocks keep what operations find out about them, as those of a batch do. Devices that are not there
// are left out with a message.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/kernels/random_block.h"
#include "kernels/backend.h"

namespace kith {
namespace {

using namespace bench;

constexpr int kCallsPerWait = 20;  // so that waiting for the device is not what is measured

/// The rival comes three times: with all that it can keep for a block (twice: by the algorithm for row-major
/// values, and by the one that can be prepared), and described anew by every call.
enum Device : std::int64_t { kCpu, kCuda, kCuSparse, kCuSparsePrepared, kCuSparseCold };
constexpr const char* kDeviceNames[] = {"cpu", "cuda", "cusparse", "cusparse, preprocessed", "cusparse, cold"};

BackendOptions options_of(std::int64_t device) {
  return {.use_cusparse = device >= kCuSparse,
          .sparse_algorithm =
              device == kCuSparsePrepared ? SparseAlgorithm::preprocessed : SparseAlgorithm::row_major};
}

std::vector<double> random_numbers(std::int64_t count) {
  std::mt19937_64 random(kSeed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<double> numbers(static_cast<std::size_t>(count));
  std::ranges::generate(numbers, [&] { return uniform(random); });
  return numbers;
}

/// A device, a block on it, and what most operations need.
struct Case {
  std::unique_ptr<Backend> backend;
  bool keeps;  ///< what it finds out about the block
  Block block;
  DeviceArrays arrays;
  std::int64_t cols;
  std::vector<double> x_numbers;
  Tensor x, out;

  Case(std::int64_t device, std::int64_t shape, std::int64_t num_cols)
      : backend(make_backend(device == kCpu ? "cpu" : "cuda", options_of(device))),
        keeps(device != kCuSparseCold),
        block(kShapes[shape]),
        arrays(backend->to_device(std::span<const std::int32_t>(block.offsets),
                                  std::span<const std::int32_t>(block.sources))),
        cols(num_cols),
        x_numbers(random_numbers(block.num_sources * num_cols)),
        x(tensor(block.num_sources, num_cols, x_numbers)),
        out(backend->empty(block.view().num_destinations(), num_cols, Scalar::f32)) {
    backend->wait_for(arrays);
  }

  Tensor tensor(std::int64_t rows, std::int64_t num_cols, const std::vector<double>& numbers) const {
    Tensor result = backend->empty(rows, num_cols, Scalar::f32);
    backend->upload(numbers, result);
    return result;
  }
  Tensor random(std::int64_t rows, std::int64_t num_cols) const {
    return tensor(rows, num_cols, random_numbers(rows * num_cols));
  }
  BlockCsrView view() const {
    return {block.num_sources, arrays.get<std::int32_t>(0), arrays.get<std::int32_t>(1),
            keeps ? arrays.memo() : nullptr};
  }
  std::int64_t num_edges() const { return block.view().num_edges(); }
  std::int64_t num_destinations() const { return block.view().num_destinations(); }
  std::vector<double> numbers(const Tensor& of) const {
    std::vector<double> result(static_cast<std::size_t>(of.size()));
    backend->download(of, result);
    return result;
  }

  /// Whether some values of `got`, [destinations x cols], are combine(values of the sources) / scale of the
  /// row.
  bool is_aggregate(const std::vector<double>& got, bool is_max) const {
    for (std::int64_t v = 0; v < num_destinations(); v += 997) {
      for (std::int64_t j = 0; j < cols; ++j) {
        double sum = 0;
        double largest = -2;
        for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
          const double value = x_numbers[block.sources[e] * cols + j];
          sum += value;
          largest = std::max(largest, value);
        }
        const std::int32_t degree = block.offsets[v + 1] - block.offsets[v];
        const double expected = degree == 0 ? 0 : is_max ? largest : sum / degree;
        if (std::abs(expected - got[v * cols + j]) > 1e-5) return false;
      }
    }
    return true;
  }
};

/// Whether <grad_out, out> = <gradient, x>: the gradient of a linear operation is its adjoint.
bool agree(const std::vector<double>& grad_out, const std::vector<double>& out,
           const std::vector<double>& gradient, const std::vector<double>& x) {
  double forward = 0;
  double backward = 0;
  for (std::size_t i = 0; i < out.size(); ++i) forward += grad_out[i] * out[i];
  for (std::size_t i = 0; i < x.size(); ++i) backward += gradient[i] * x[i];
  return std::abs(forward - backward) < 1e-4 * std::sqrt(static_cast<double>(x.size())) + 1;
}

/// Times `call` if `is_right`; counts `bytes` of values that one call reads.
void time(benchmark::State& state, const Case& on, bool is_right, std::int64_t bytes,
          const std::function<void()>& call) {
  if (!is_right) {
    state.SkipWithError("wrong result");
    return;
  }
  const Tensor one = on.backend->zeros(1, 1, Scalar::f32);
  while (state.KeepRunningBatch(kCallsPerWait)) {
    for (int i = 0; i < kCallsPerWait; ++i) call();
    on.numbers(one);  // waits for the device
  }
  state.counters["GB/s"] =
      benchmark::Counter(static_cast<double>(bytes) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

/// Runs body(state) unless the device of state.range(0) is missing.
template <typename Body>
void on_device(benchmark::State& state, const Body& body) {
  if (state.range(0) != kCpu && num_cuda_devices() == 0) {
    state.SkipWithError("no CUDA device");
    return;
  }
  state.SetLabel(kDeviceNames[state.range(0)]);
  body();
}

/// state, here and below: device, shape, features. The bandwidth to compare with: bytes read and written.
void copy(benchmark::State& state) {
  on_device(state, [&] {
    Case on(state.range(0), state.range(1), state.range(2));
    Tensor to = on.backend->empty(on.x.rows(), on.x.cols(), Scalar::f32);
    on.backend->copy(on.x, to);
    time(state, on, on.numbers(to) == on.numbers(on.x), 8 * on.x.size(), [&] { on.backend->copy(on.x, to); });
  });
}

void forward(benchmark::State& state) {
  on_device(state, [&] {
    Case on(state.range(0), state.range(1), state.range(2));
    const auto call = [&] { on.backend->aggregate(on.view(), {}, on.x, on.out); };
    call();
    time(state, on, on.is_aggregate(on.numbers(on.out), false), 4 * on.num_edges() * on.cols, call);
  });
}

void backward(benchmark::State& state) {
  on_device(state, [&] {
    Case on(state.range(0), state.range(1), state.range(2));
    const Tensor grad_out = on.random(on.num_destinations(), on.cols);
    Tensor gradient = on.backend->zeros(on.x.rows(), on.cols, Scalar::f32);
    const auto call = [&] { on.backend->aggregate_backward(on.view(), {}, grad_out, gradient); };
    on.backend->aggregate(on.view(), {}, on.x, on.out);
    call();
    const bool is_right = agree(on.numbers(grad_out), on.numbers(on.out), on.numbers(gradient), on.x_numbers);
    time(state, on, is_right, 4 * on.num_edges() * on.cols, call);
  });
}

/// state: device, shape, features. Of a block that no operation has seen: it is sorted by source first.
void backward_of_a_new_block(benchmark::State& state) {
  on_device(state, [&] {
    Case on(state.range(0), state.range(1), state.range(2));
    on.keeps = false;
    const Tensor grad_out = on.random(on.num_destinations(), on.cols);
    Tensor gradient = on.backend->zeros(on.x.rows(), on.cols, Scalar::f32);
    on.backend->aggregate(on.view(), {}, on.x, on.out);
    const auto call = [&] { on.backend->aggregate_backward(on.view(), {}, grad_out, gradient); };
    call();
    const bool is_right = agree(on.numbers(grad_out), on.numbers(on.out), on.numbers(gradient), on.x_numbers);
    time(state, on, is_right, 4 * on.num_edges() * on.cols, call);
  });
}

/// state: device, shape, features, heads.
void heads(benchmark::State& state, bool is_backward) {
  on_device(state, [&] {
    Case on(state.range(0), state.range(1), state.range(2));
    const Tensor weights = on.random(on.num_edges(), state.range(3));
    const Tensor grad_out = on.random(on.num_destinations(), on.cols);
    Tensor gradient = on.backend->zeros(on.x.rows(), on.cols, Scalar::f32);
    Tensor grad_weights = on.backend->empty(on.num_edges(), state.range(3), Scalar::f32);
    on.backend->aggregate_heads(on.view(), weights, on.x, on.out);
    on.backend->aggregate_heads_backward(on.view(), weights, grad_out, gradient);
    on.backend->edge_dot(on.view(), on.x, grad_out, grad_weights);
    // Linear in x and in the weights, so both gradients have to agree with the result.
    const bool is_right =
        agree(on.numbers(grad_out), on.numbers(on.out), on.numbers(gradient), on.x_numbers) &&
        agree(on.numbers(grad_out), on.numbers(on.out), on.numbers(grad_weights), on.numbers(weights));
    time(state, on, is_right, 4 * on.num_edges() * on.cols, [&] {
      if (is_backward) {
        on.backend->aggregate_heads_backward(on.view(), weights, grad_out, gradient);
      } else {
        on.backend->aggregate_heads(on.view(), weights, on.x, on.out);
      }
    });
  });
}

void max(benchmark::State& state) {
  on_device(state, [&] {
    Case on(state.range(0), state.range(1), state.range(2));
    Tensor winners = on.backend->empty(on.num_destinations(), on.cols, Scalar::f32);  // holds 32-bit integers
    const auto call = [&] {
      on.backend->aggregate_max(on.view(), on.x, on.out, winners.values<std::int32_t>());
    };
    call();
    time(state, on, on.is_aggregate(on.numbers(on.out), true), 4 * on.num_edges() * on.cols, call);
  });
}

/// state: device, shape, heads. Bytes: the scores, read and written once.
void softmax(benchmark::State& state) {
  on_device(state, [&] {
    Case on(state.range(0), state.range(1), 1);
    const Tensor scores = on.random(on.num_edges(), state.range(2));
    Tensor out = on.backend->empty(on.num_edges(), state.range(2), Scalar::f32);
    const auto call = [&] { on.backend->edge_softmax(on.view(), scores, out); };
    call();
    const std::vector<double> got = on.numbers(out);
    double sum = 0;
    for (std::int32_t e = on.block.offsets[0]; e < on.block.offsets[1]; ++e) sum += got[e * state.range(2)];
    time(state, on, std::abs(sum - 1) < 1e-5, 8 * scores.size(), call);
  });
}

/// state: device, shape, features, heads.
void dot(benchmark::State& state) {
  on_device(state, [&] {
    Case on(state.range(0), state.range(1), state.range(2));
    const Tensor y = on.random(on.num_destinations(), on.cols);
    Tensor out = on.backend->empty(on.num_edges(), state.range(3), Scalar::f32);
    const auto call = [&] { on.backend->edge_dot(on.view(), on.x, y, out); };
    call();
    const std::vector<double> y_numbers = on.numbers(y);
    double expected = 0;
    for (std::int64_t j = 0; j < on.cols / state.range(3); ++j) {
      expected += on.x_numbers[on.block.sources[0] * on.cols + j] * y_numbers[j];
    }
    time(state, on, std::abs(on.numbers(out)[0] - expected) < 1e-4, 4 * on.num_edges() * on.cols, call);
  });
}

void with_rows(benchmark::internal::Benchmark* bench, const std::vector<std::int64_t>& devices) {
  bench->ArgNames({"device", "shape", "features"})
      ->ArgsProduct({devices, {0, 1, 2}, {47, 100, 256}})
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}
void with_devices(benchmark::internal::Benchmark* bench) { with_rows(bench, {kCpu, kCuda}); }
void with_rival(benchmark::internal::Benchmark* bench) {
  with_rows(bench, {kCpu, kCuda, kCuSparse, kCuSparsePrepared, kCuSparseCold});
}
void with_heads(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device", "shape", "features", "heads"})
      ->ArgsProduct({{kCpu, kCuda}, {0, 1, 2}, {64, 256}, {1, 8}})
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

BENCHMARK(copy)->Apply(with_devices);
BENCHMARK(forward)->Apply(with_rival);
BENCHMARK(backward)->Apply(with_rival);
BENCHMARK(backward_of_a_new_block)->Apply(with_devices);
BENCHMARK(max)->Apply(with_devices);
BENCHMARK_CAPTURE(heads, forward, false)->Apply(with_heads);
BENCHMARK_CAPTURE(heads, backward, true)->Apply(with_heads);
BENCHMARK(dot)->Apply(with_heads);
BENCHMARK(softmax)
    ->ArgNames({"device", "shape", "heads"})
    ->ArgsProduct({{kCpu, kCuda}, {0, 1, 2}, {1, 4, 8}})
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

}  // namespace
}  // namespace kith

BENCHMARK_MAIN();
