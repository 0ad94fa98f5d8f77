// A first layer on a GPU: sums straight from the feature table beside a copy of the rows and sums over that,
// for input nodes from everywhere and from a few communities. Both ways are compared to the bit, and with a
// plain loop, before they are timed. On the CPU there is one way.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "bench/kernels/random_block.h"
#include "kernels/backend.h"

namespace kith {
namespace {

using namespace bench;

constexpr int kCallsPerWait = 20;               // so that waiting for the device is not what is measured
constexpr std::int64_t kRowsOfTable = 500'000;  // no cache holds them
constexpr std::int64_t kCommunityRows = 250;    // whose ids are consecutive
constexpr std::array kTypes = {FeatureType::f32, FeatureType::f16};

enum Way : std::int64_t { kOnCpu, kFused, kTwoStep, kAutomatic };
constexpr const char* kWayNames[] = {"cpu", "fused", "two-step", "auto"};

/// Small multiples of 1/16, which every type holds exactly.
double value_at(std::int64_t row, std::int64_t column) { return ((row * 31 + column * 7) % 64 - 32) / 16.0; }

std::uint16_t half_bits(double value) {
  if (value == 0) return 0;
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  return static_cast<std::uint16_t>((bits >> 16 & 0x8000) | (((bits >> 23 & 255) - 112) << 10) |
                                    (bits >> 13 & 1023));
}

std::vector<std::byte> make_table(std::int64_t rows, std::int64_t cols, FeatureType type) {
  const std::size_t bytes = type == FeatureType::f32 ? 4 : 2;
  std::vector<std::byte> table(static_cast<std::size_t>(rows * cols) * bytes);
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    const double value = value_at(i / cols, i % cols);
    const auto single = static_cast<float>(value);
    const std::uint16_t half = half_bits(value);
    std::memcpy(&table[static_cast<std::size_t>(i) * bytes],
                type == FeatureType::f32 ? static_cast<const void*>(&single) : &half, bytes);
  }
  return table;
}

/// Distinct rows, or all rows of randomly chosen communities.
std::vector<NodeId> make_ids(std::int64_t rows, std::int64_t count, bool is_structured) {
  std::mt19937_64 random(kSeed);
  const std::int64_t run = is_structured ? kCommunityRows : 1;
  std::vector<NodeId> starts;
  for (std::int64_t start = 0; start + run <= rows; start += run) starts.push_back(static_cast<NodeId>(start));
  std::ranges::shuffle(starts, random);
  std::vector<NodeId> ids;
  for (const NodeId start : starts) {
    for (NodeId i = 0; i < run && static_cast<std::int64_t>(ids.size()) < count; ++i) ids.push_back(start + i);
  }
  std::ranges::shuffle(ids, random);  // nodes of a batch come in the order in which they were reached
  return ids;
}

struct Case {
  Block block;
  std::int64_t cols;
  std::vector<std::byte> bytes;
  std::vector<NodeId> ids;

  Case(const Shape& shape, std::int64_t num_cols, FeatureType type, bool is_structured)
      : block(shape),
        cols(num_cols),
        bytes(make_table(rows(), num_cols, type)),
        ids(make_ids(rows(), shape.num_sources, is_structured)) {}

  std::int64_t rows() const {
    return block.num_sources < kCommunityRows * 100 ? 3 * block.num_sources : kRowsOfTable;
  }

  bool is_right(const std::vector<double>& got) const {
    for (std::int64_t v = 0; v < block.view().num_destinations(); v += 97) {
      for (std::int64_t j = 0; j < cols; ++j) {
        double sum = 0;
        const std::int32_t begin = block.offsets[v], end = block.offsets[v + 1];
        for (std::int32_t e = begin; e < end; ++e) sum += value_at(ids[block.sources[e]], j);
        if (std::abs(sum / std::max(end - begin, 1) - got[v * cols + j]) > 1e-5) return false;
      }
    }
    return true;
  }
};

/// The case on one device, one way.
struct Running {
  const Case& of;
  std::unique_ptr<Backend> backend;
  DeviceArrays there;
  FeatureView table;
  Tensor out;

  Running(const Case& c, std::int64_t way, FeatureType type)
      : of(c),
        backend(make_backend(way == kOnCpu ? "cpu" : "cuda",
                             {.gathering = way == kFused     ? Gathering::fused
                                           : way == kTwoStep ? Gathering::two_step
                                                             : Gathering::automatic})),
        there(backend->to_device(std::span<const std::byte>(c.bytes), std::span<const NodeId>(c.ids),
                                 std::span<const std::int32_t>(c.block.offsets),
                                 std::span<const std::int32_t>(c.block.sources))),
        table{there.get<std::byte>(0).data(), c.rows(), static_cast<std::int32_t>(c.cols), type},
        out(backend->empty(c.block.view().num_destinations(), c.cols, Scalar::f32)) {
    backend->wait_for(there);
  }

  void call() {
    backend->aggregate(
        {of.block.num_sources, there.get<std::int32_t>(2), there.get<std::int32_t>(3), there.memo()}, {}, table,
        there.get<NodeId>(1), out);
  }
  std::vector<double> result() {
    std::vector<double> values(static_cast<std::size_t>(out.size()));
    backend->download(out, values);
    return values;
  }
};

/// state: way, shape, features, type, structured.
void first_layer(benchmark::State& state) {
  const std::int64_t way = state.range(0);
  state.SetLabel(kWayNames[way]);
  if (way != kOnCpu && num_cuda_devices() == 0) {
    state.SkipWithError("no CUDA device");
    return;
  }
  const FeatureType type = kTypes[static_cast<std::size_t>(state.range(3))];
  const Case on(kShapes[state.range(1)], state.range(2), type, state.range(4) != 0);
  Running running(on, way, type);
  for (int i = 0; i < (way == kAutomatic ? kCallsPerWait : 1); ++i) running.call();
  const std::vector<double> result = running.result();
  bool is_right = on.is_right(result);
  if (way == kTwoStep) {
    Running fused(on, kFused, type);
    fused.call();
    is_right = is_right && fused.result() == result;
  }
  if (!is_right) {
    state.SkipWithError("wrong result");
    return;
  }
  const Tensor one = running.backend->zeros(1, 1, Scalar::f32);
  std::vector<double> value(1);
  while (state.KeepRunningBatch(kCallsPerWait)) {
    for (int i = 0; i < kCallsPerWait; ++i) running.call();
    running.backend->download(one, value);  // waits for the device
  }
  for (const GatheringChoice& choice : running.backend->gathering_choices()) {
    state.SetLabel(choice.is_fused ? "auto: fused" : "auto: two-step");
  }
  const auto row_bytes = static_cast<double>(on.bytes.size()) / static_cast<double>(on.rows());
  state.counters["GB/s"] =
      benchmark::Counter(static_cast<double>(on.block.view().num_edges()) * row_bytes * 1e-9,
                         benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(first_layer)
    ->ArgNames({"way", "shape", "features", "type", "structured"})
    ->ArgsProduct({{kOnCpu, kFused, kTwoStep, kAutomatic}, {0, 2}, {100, 256}, {0, 1}, {0, 1}})
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

}  // namespace
}  // namespace kith

BENCHMARK_MAIN();
