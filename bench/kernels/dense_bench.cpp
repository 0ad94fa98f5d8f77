// Dense products and elementwise passes at the sizes of a GraphSAGE layer. Verified before they are timed.
// of_cblas: the speed of a product as a share of that of a plain CBLAS call with the same threads.
#include <benchmark/benchmark.h>
#include <cblas.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>

#include "bench/kernels/best_seconds.h"
#include "kernels/backend.h"

// Only OpenBLAS has it; with another CBLAS the address is null.
extern "C" void openblas_set_num_threads(int) __attribute__((weak));

namespace kith {
namespace {

constexpr std::uint64_t kSeed = 7;

Tensor random_tensor(Backend& backend, std::int64_t rows, std::int64_t cols) {
  std::mt19937_64 random(kSeed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Tensor x = backend.empty(rows, cols, Scalar::f32);
  std::ranges::generate(x.values<float>(), [&] { return uniform(random); });
  return x;
}

/// Whether got is sum over k of a(k) * b(k), k < inner.
template <typename A, typename B>
bool is_product(std::int64_t inner, const A& a, const B& b, float got) {
  double sum = 0;
  for (std::int64_t k = 0; k < inner; ++k) {
    sum += static_cast<double>(a(k)) * b(k);
  }
  return std::abs(sum - got) < 1e-3 * std::sqrt(static_cast<double>(inner));
}

void count_flops(benchmark::State& state) {
  const double flops = 2.0 * static_cast<double>(state.range(0) * state.range(1) * state.range(2));
  state.counters["GFLOP/s"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

/// Sets the counter `of_cblas`: the speed of `run` as a share of that of one sgemm call, which splits its work
/// over the same number of threads by itself.
template <typename Run>
void count_of_cblas(benchmark::State& state, const Tensor& a, const Tensor& b, Tensor& c, const Run& run) {
  const auto set_threads = [](std::int64_t count) {
    if (openblas_set_num_threads != nullptr) openblas_set_num_threads(static_cast<int>(count));
  };
  const auto rows = static_cast<int>(c.rows()), cols = static_cast<int>(c.cols());
  const auto inner = static_cast<int>(a.cols());
  const double own = bench::best_seconds(run);
  set_threads(state.range(3));
  const double plain = bench::best_seconds([&] {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, cols, inner, 1, a.data<float>(), inner,
                b.data<float>(), cols, 0, c.data<float>(), cols);
  });
  set_threads(1);
  state.counters["of_cblas"] = plain / own;
}

/// c [rows x cols] = a [rows x inner] @ b [inner x cols].
void matmul(benchmark::State& state) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, state.range(3));
  const auto backend = make_cpu_backend();
  const Tensor a = random_tensor(*backend, state.range(0), state.range(1));
  const Tensor b = random_tensor(*backend, state.range(1), state.range(2));
  Tensor c = backend->empty(a.rows(), b.cols(), Scalar::f32);
  backend->matmul(a, false, b, false, 0, c);
  for (std::int64_t i = 0; i < c.size(); i += c.size() / 100) {
    const float* const row = a.data<float>() + i / c.cols() * a.cols();
    const float* const column = b.data<float>() + i % c.cols();
    if (!is_product(
            a.cols(), [&](auto k) { return row[k]; }, [&](auto k) { return column[k * b.cols()]; },
            c.data<float>()[i])) {
      state.SkipWithError("wrong result");
      return;
    }
  }
  for (auto _ : state) {
    backend->matmul(a, false, b, false, 0, c);
  }
  count_of_cblas(state, a, b, c, [&] { backend->matmul(a, false, b, false, 0, c); });
  count_flops(state);
}

/// w [inner x cols] = a [rows x inner]^T @ g [rows x cols].
void weight_gradient(benchmark::State& state) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, state.range(3));
  const auto backend = make_cpu_backend();
  const Tensor a = random_tensor(*backend, state.range(0), state.range(1));
  const Tensor g = random_tensor(*backend, state.range(0), state.range(2));
  Tensor w = backend->empty(a.cols(), g.cols(), Scalar::f32);
  backend->matmul_at_b(a, g, 0, w);
  for (std::int64_t i = 0; i < w.size(); i += w.size() / 20) {
    const float* const left = a.data<float>() + i / w.cols();
    const float* const right = g.data<float>() + i % w.cols();
    if (!is_product(
            a.rows(), [&](auto k) { return left[k * a.cols()]; }, [&](auto k) { return right[k * g.cols()]; },
            w.data<float>()[i])) {
      state.SkipWithError("wrong result");
      return;
    }
  }
  for (auto _ : state) {
    backend->matmul_at_b(a, g, 0, w);
  }
  count_flops(state);
}

/// Dot products of rows with a vector a head, or their gradients. state: rows, heads, threads; 256 columns.
void head_dot(benchmark::State& state, bool is_backward) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, state.range(2));
  const auto backend = make_cpu_backend();
  const Tensor x = random_tensor(*backend, state.range(0), 256);
  const Tensor weight = random_tensor(*backend, state.range(1), 256 / state.range(1));
  Tensor out = backend->empty(x.rows(), weight.rows(), Scalar::f32);
  Tensor grad_x = backend->zeros(x.rows(), x.cols(), Scalar::f32);
  Tensor grad_weight = backend->empty(weight.rows(), weight.cols(), Scalar::f32);
  backend->head_dot(x, weight, out);
  backend->head_dot_backward(x, weight, out, grad_x, grad_weight);
  const auto at = [](const Tensor& t, std::int64_t first, std::int64_t stride = 1) {
    return [values = t.data<float>() + first, stride](std::int64_t k) { return values[k * stride]; };
  };
  if (!is_product(weight.cols(), at(x, 0), at(weight, 0), out.data<float>()[0]) ||
      !is_product(x.rows(), at(x, 0, x.cols()), at(out, 0, out.cols()), grad_weight.data<float>()[0])) {
    state.SkipWithError("wrong result");
    return;
  }
  for (auto _ : state) {
    if (is_backward) {
      backend->head_dot_backward(x, weight, out, grad_x, grad_weight);
    } else {
      backend->head_dot(x, weight, out);
    }
  }
  state.counters["read_GB/s"] =
      benchmark::Counter(static_cast<double>(x.size()) * 4e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void relu_dropout(benchmark::State& state) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, state.range(2));
  const auto backend = make_cpu_backend();
  const Dropout dropout{.rate = static_cast<double>(state.range(1)) / 100, .seed = kSeed};
  Tensor x = backend->empty(state.range(0), 256, Scalar::f32);
  backend->fill(x, 1);
  backend->relu_dropout(dropout, x);
  const auto kept = std::ranges::count_if(x.values<float>(), [](float value) { return value != 0; });
  if (std::abs(static_cast<double>(kept) / static_cast<double>(x.size()) - (1 - dropout.rate)) > 0.01) {
    state.SkipWithError("wrong result");
    return;
  }
  backend->fill(x, 0);  // stays 0: repeated scaling would overflow
  for (auto _ : state) {
    backend->relu_dropout(dropout, x);
  }
  state.counters["GB/s"] =
      benchmark::Counter(static_cast<double>(x.size()) * 8e-9, benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(matmul)
    ->ArgNames({"rows", "inner", "cols", "threads"})
    ->ArgsProduct({{15'500, 100'000}, {256}, {256}, {1, 2}})
    ->Args({100'000, 100, 256, 2})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(weight_gradient)
    ->ArgNames({"rows", "inner", "cols", "threads"})
    ->ArgsProduct({{1'024, 15'500, 100'000}, {256}, {256}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
void with_heads(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"rows", "heads", "threads"})
      ->ArgsProduct({{100'000}, {1, 8}, {1, 2}})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}
BENCHMARK_CAPTURE(head_dot, forward, false)->Apply(with_heads);
BENCHMARK_CAPTURE(head_dot, backward, true)->Apply(with_heads);
BENCHMARK(relu_dropout)
    ->ArgNames({"rows", "percent", "threads"})
    ->ArgsProduct({{100'000}, {0, 50}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace kith

BENCHMARK_MAIN();
