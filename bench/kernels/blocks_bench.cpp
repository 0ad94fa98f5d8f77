// Aggregation over what training aggregates over, beside cuSPARSE and a copy: the outermost blocks of random
// and of structured batches of a dataset, and its whole graph.
//
//   blocks_bench GRAPH.kith.h5 [--benchmark_filter=...] [--benchmark_...]
//
// first_layer reads a feature table through the ids of the batch's input nodes: Kith by --gather's rule,
// cuSPARSE over rows that are copied together first. forward and backward are over rows of the block's own.
// Every case is compared with a plain loop before it is timed, and calls keep what they find out about a block,
// as those of a batch do. GB/s counts a row of values for each edge, and the rows that are written. Skipped
// without a GPU.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench/kernels/random_block.h"
#include "graph/dataset_file.h"
#include "kernels/backend.h"
#include "sampler/plan.h"
#include "sampler/sampler.h"

namespace kith {
namespace {

using bench::kSeed;

constexpr std::int32_t kBatchSize = 1024;
constexpr std::int64_t kDistinctRows = 4096;  ///< of values, drawn on the host; the device spreads them

/// The rival comes twice: by the algorithm for row-major values, and by the one that can be prepared.
enum class Device : std::uint8_t { kith, cusparse, cusparse_preprocessed };
constexpr Device kDevices[] = {Device::kith, Device::cusparse, Device::cusparse_preprocessed};

const char* name_of(Device device) {
  switch (device) {
    case Device::kith:
      break;
    case Device::cusparse:
      return "cusparse";
    case Device::cusparse_preprocessed:
      return "cusparse, preprocessed";
  }
  return "cuda";
}

BackendOptions options_of(Device device) {
  return {.use_cusparse = device != Device::kith,
          .sparse_algorithm = device == Device::cusparse_preprocessed ? SparseAlgorithm::preprocessed
                                                                      : SparseAlgorithm::row_major};
}

/// Rows of values on a device, each one of kDistinctRows random ones.
struct SpreadRows {
  std::vector<double> numbers;      ///< [kDistinctRows x cols]
  std::vector<std::int32_t> which;  ///< [rows]
  Tensor values;                    ///< [rows x cols]

  SpreadRows(Backend& backend, std::int64_t rows, std::int64_t cols, std::uint64_t seed = kSeed)
      : numbers(static_cast<std::size_t>(kDistinctRows * cols)), which(static_cast<std::size_t>(rows)) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<float> uniform(-1, 1);
    std::ranges::generate(numbers, [&] { return uniform(random); });
    std::ranges::generate(which, [&] { return static_cast<std::int32_t>(random() % kDistinctRows); });
    Tensor distinct = backend.empty(kDistinctRows, cols, Scalar::f32);
    backend.upload(numbers, distinct);
    const DeviceArrays ids = backend.to_device(std::span<const std::int32_t>(which));
    backend.wait_for(ids);
    values = backend.empty(rows, cols, Scalar::f32);
    backend.embed(distinct, ids.get<std::int32_t>(0), values);
  }

  const double* row(std::int64_t i) const {
    return &numbers[static_cast<std::size_t>(which[static_cast<std::size_t>(i)] * values.cols())];
  }
};

/// Some rows of `on_device`, on the host.
std::vector<double> rows_of(Backend& backend, Tensor& on_device, std::int64_t first, std::int64_t count) {
  std::vector<double> numbers(static_cast<std::size_t>(count * on_device.cols()));
  backend.download(on_device.view_rows(first, count), numbers);
  return numbers;
}

/// Whether `out` holds the means of the rows row_of(source) in the rows that are looked at.
template <typename Offset, typename RowOf>
bool are_means(Backend& backend, Tensor& out, std::span<const Offset> offsets,
               std::span<const std::int32_t> sources, const RowOf& row_of) {
  const std::int64_t step = std::max<std::int64_t>(out.rows() / 50, 1);
  for (std::int64_t v = 0; v < out.rows(); v += step) {
    const std::vector<double> got = rows_of(backend, out, v, 1);
    const auto begin = static_cast<std::int64_t>(offsets[v]), end = static_cast<std::int64_t>(offsets[v + 1]);
    for (std::int64_t j = 0; j < out.cols(); ++j) {
      double sum = 0;
      for (std::int64_t e = begin; e < end; ++e) sum += row_of(sources[e])[j];
      const double mean = sum / static_cast<double>(std::max<std::int64_t>(end - begin, 1));
      if (std::abs(mean - got[static_cast<std::size_t>(j)]) > 1e-5) return false;
    }
  }
  return true;
}

/// Times `call`, `calls` of them between two waits for the device, if it `is_right`.
void time(benchmark::State& state, Backend& backend, bool is_right, std::int64_t rows_moved, std::int64_t cols,
          int calls, const std::function<void()>& call) {
  if (!is_right) return state.SkipWithError("wrong result");
  const Tensor one = backend.zeros(1, 1, Scalar::f32);
  std::vector<double> value(1);
  while (state.KeepRunningBatch(calls)) {
    for (int i = 0; i < calls; ++i) call();
    backend.download(one, value);
  }
  state.counters["GB/s"] = benchmark::Counter(static_cast<double>(rows_moved * cols) * 4e-9,
                                              benchmark::Counter::kIsIterationInvariantRate);
}

/// What each row of the block's sources gets from the rows of grad_out, beside `gradient` in some rows.
bool is_gradient(Backend& backend, const BlockCsrView& block, const SpreadRows& grad_out, Tensor& gradient) {
  const std::int64_t step = std::max<std::int64_t>(block.num_sources / 50, 1);
  const std::int64_t cols = gradient.cols();
  std::vector<double> expected(static_cast<std::size_t>((block.num_sources / step + 1) * cols));
  for (std::int32_t v = 0; v < block.num_destinations(); ++v) {
    for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
      if (block.sources[e] % step != 0) continue;
      for (std::int64_t j = 0; j < cols; ++j) {
        expected[static_cast<std::size_t>(block.sources[e] / step * cols + j)] +=
            grad_out.row(v)[j] / (block.offsets[v + 1] - block.offsets[v]);
      }
    }
  }
  for (std::int64_t u = 0; u < block.num_sources; u += step) {
    const std::vector<double> got = rows_of(backend, gradient, u, 1);
    for (std::int64_t j = 0; j < cols; ++j) {
      const double value = expected[static_cast<std::size_t>(u / step * cols + j)];
      if (std::abs(value - got[static_cast<std::size_t>(j)]) > 1e-4) return false;
    }
  }
  return true;
}

/// A batch and its outermost block.
struct SampledBlock {
  std::string name;
  MiniBatch batch;

  SampledBlock(const Dataset& dataset, std::string knobs, double mix, double p_intra)
      : name(std::move(knobs)), batch(sample(dataset, mix, p_intra)) {}

  static MiniBatch sample(const Dataset& dataset, double mix, double p_intra) {
    const Communities& communities = dataset.communities(0);
    const Plan plan =
        make_plan(dataset.splits.train, communities, {.batch_size = kBatchSize, .mix = mix, .seed = kSeed});
    const Sampler sampler(dataset.graph.view(), communities,
                          {.fanouts = {15, 10, 5}, .p_intra = p_intra, .seed = kSeed});
    return sampler.sample(plan[0], 0, 0);
  }
};

/// The block's arrays on a device.
struct BlockThere {
  const MiniBatch& batch;
  BlockCsrView here;
  DeviceArrays arrays;

  BlockThere(Backend& backend, const MiniBatch& of)
      : batch(of),
        here(of.block(0)),
        arrays(backend.to_device(here.offsets, here.sources, std::span<const NodeId>(of.input_nodes))) {
    backend.wait_for(arrays);
  }
  BlockCsrView view() const {
    return {here.num_sources, arrays.get<std::int32_t>(0), arrays.get<std::int32_t>(1), arrays.memo()};
  }
  std::span<const NodeId> ids() const { return arrays.get<NodeId>(2); }
  std::int64_t rows_moved() const { return std::int64_t{here.num_edges()} + here.num_destinations(); }
};

constexpr int kCallsOfBlock = 20;

void first_layer(benchmark::State& state, const Dataset& dataset, const MiniBatch& batch, Device device,
                 std::int64_t cols) {
  const std::unique_ptr<Backend> backend = make_cuda_backend(options_of(device));
  const SpreadRows rows(*backend, dataset.num_nodes(), cols);
  const BlockThere block(*backend, batch);
  Tensor out = backend->empty(block.here.num_destinations(), cols, Scalar::f32);
  const FeatureView table{.data = reinterpret_cast<const std::byte*>(rows.values.data<float>()),
                          .num_rows = rows.values.rows(),
                          .dim = static_cast<std::int32_t>(cols),
                          .type = FeatureType::f32};
  const auto call = [&] { backend->aggregate(block.view(), {}, table, block.ids(), out); };
  call();
  const bool is_right = are_means(*backend, out, block.here.offsets, block.here.sources,
                                  [&](std::int32_t u) { return rows.row(batch.input_nodes[u]); });
  for (int i = 0; i < kCallsOfBlock; ++i) call();  // the rule has its measurements after these
  time(state, *backend, is_right, block.rows_moved(), cols, kCallsOfBlock, call);
  for (const GatheringChoice& choice : backend->gathering_choices()) {
    state.SetLabel(std::string(name_of(device)) + (choice.is_fused ? ", fused" : ", two-step"));
  }
}

void forward(benchmark::State& state, const MiniBatch& batch, Device device, std::int64_t cols) {
  const std::unique_ptr<Backend> backend = make_cuda_backend(options_of(device));
  const SpreadRows rows(*backend, static_cast<std::int64_t>(batch.input_nodes.size()), cols);
  const BlockThere block(*backend, batch);
  Tensor out = backend->empty(block.here.num_destinations(), cols, Scalar::f32);
  const auto call = [&] { backend->aggregate(block.view(), {}, rows.values, out); };
  call();
  const bool is_right = are_means(*backend, out, block.here.offsets, block.here.sources,
                                  [&](std::int32_t u) { return rows.row(u); });
  time(state, *backend, is_right, block.rows_moved(), cols, kCallsOfBlock, call);
}

void backward(benchmark::State& state, const MiniBatch& batch, Device device, std::int64_t cols) {
  const std::unique_ptr<Backend> backend = make_cuda_backend(options_of(device));
  const BlockThere block(*backend, batch);
  const SpreadRows grad_out(*backend, block.here.num_destinations(), cols);
  Tensor gradient = backend->zeros(block.here.num_sources, cols, Scalar::f32);
  const auto call = [&] { backend->aggregate_backward(block.view(), {}, grad_out.values, gradient); };
  call();
  const bool is_right = is_gradient(*backend, block.here, grad_out, gradient);
  time(state, *backend, is_right, std::int64_t{block.here.num_edges()} + block.here.num_sources, cols,
       kCallsOfBlock, call);
}

void whole_graph(benchmark::State& state, const Dataset& dataset, Device device, std::int64_t cols) {
  const std::unique_ptr<Backend> backend = make_cuda_backend(options_of(device));
  const CsrView here = dataset.graph.view();
  const SpreadRows rows(*backend, here.num_nodes(), cols);
  const DeviceArrays arrays = backend->to_device(here.offsets, here.neighbors);
  backend->wait_for(arrays);
  const CsrView there{arrays.get<EdgeOffset>(0), arrays.get<NodeId>(1), arrays.memo()};
  Tensor out = backend->empty(here.num_nodes(), cols, Scalar::f32);
  const auto call = [&] { backend->aggregate_rows(there, {}, 0, rows.values, out); };
  call();
  const bool is_right =
      are_means(*backend, out, here.offsets, here.neighbors, [&](std::int32_t u) { return rows.row(u); });
  time(state, *backend, is_right, here.num_edges() + here.num_nodes(), cols, 1, call);
}

/// The bandwidth to compare with: bytes read and written.
void copy(benchmark::State& state) {
  constexpr std::int64_t kRows = 4 << 20, kCols = 256;
  const std::unique_ptr<Backend> backend = make_cuda_backend();
  const SpreadRows rows(*backend, kRows, kCols);
  Tensor to = backend->empty(kRows, kCols, Scalar::f32);
  const auto call = [&] { backend->copy(rows.values, to); };
  call();
  const std::vector<double> got = rows_of(*backend, to, kRows - 1, 1);
  const bool is_right = std::equal(got.begin(), got.end(), rows.row(kRows - 1));
  time(state, *backend, is_right, 2 * kRows, kCols, kCallsOfBlock, call);
}

void add(const std::string& name, Device device, const std::function<void(benchmark::State&)>& body) {
  benchmark::RegisterBenchmark((name + "/" + name_of(device)).c_str(),
                               [=](benchmark::State& state) {
                                 state.SetLabel(name_of(device));
                                 body(state);
                               })
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "blocks_bench: expected one dataset and options of Google Benchmark\n");
    return 1;
  }
  if (num_cuda_devices() == 0) {
    std::fprintf(stderr, "blocks_bench: no CUDA device, nothing to measure\n");
    return 3;
  }
  const Dataset dataset = read_dataset(argv[1]);
  const std::vector<SampledBlock> blocks = [&] {
    std::vector<SampledBlock> made;
    made.emplace_back(dataset, "1:0.5", 1, 0.5);
    made.emplace_back(dataset, "0.125:0.9", 0.125, 0.9);
    made.emplace_back(dataset, "0:1", 0, 1);
    return made;
  }();
  add("copy", Device::kith, copy);
  for (const Device device : kDevices) {
    for (const SampledBlock& block : blocks) {
      for (const std::int64_t cols : {32, 100, 256, 1024}) {
        const std::string suffix = "/" + block.name + "/" + std::to_string(cols);
        const MiniBatch& batch = block.batch;
        add("first_layer" + suffix, device, [&dataset, &batch, device, cols](auto& state) {
          first_layer(state, dataset, batch, device, cols);
        });
        add("forward" + suffix, device,
            [&batch, device, cols](auto& state) { forward(state, batch, device, cols); });
        add("backward" + suffix, device,
            [&batch, device, cols](auto& state) { backward(state, batch, device, cols); });
      }
    }
    for (const std::int64_t cols : {32, 100, 128, 256, 512}) {
      add("whole_graph/" + std::to_string(cols), device,
          [&dataset, device, cols](auto& state) { whole_graph(state, dataset, device, cols); });
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace kith

int main(int argc, char** argv) {
  try {
    return kith::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "blocks_bench: %s\n", error.what());
    return 2;
  }
}
