#include "kernels/cuda/gathering.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "graph/errors.h"
#include "kernels/cuda/check.h"

namespace kith::cuda {
namespace {

bool lies_on_host(const void* data) {
  cudaPointerAttributes attributes{};
  CUDA_CHECK(cudaPointerGetAttributes(&attributes, data));
  return attributes.type != cudaMemoryTypeDevice;
}

std::string_view name_of(Rows::Type type) {
  switch (type) {
    case Rows::Type::f32:
      break;
    case Rows::Type::f64:
      return "f64";
    case Rows::Type::f16:
      return "f16";
    case Rows::Type::bf16:
      return "bf16";
  }
  return "f32";
}

}  // namespace

GatheringClass GatheringClass::of(BlockCsrView block, const Rows& table, Scalar scalar) {
  const auto reads = static_cast<std::uint32_t>(block.num_edges() / std::max(block.num_sources, 1));
  return {.columns = table.dim,
          .type = table.type,
          .scalar = scalar,
          .reads_per_row = static_cast<std::int32_t>(std::bit_floor(reads)),
          .is_in_host_memory = lies_on_host(table.data)};
}

void GatheringRule::run(cudaStream_t stream, const GatheringClass& of, const Call& fused,
                        const Call& two_step) {
  if (pinned_ != Gathering::automatic) return pinned_ == Gathering::fused ? fused() : two_step();
  Class& entry = find(of);
  collect(entry);
  if (entry.is_fused.has_value()) return *entry.is_fused ? fused() : two_step();
  if (entry.num_calls > kMeasured) return fused();  // waits for the last measurements
  try {
    run_both(stream, entry, fused, two_step);
  } catch (const EnvironmentError&) {
    entry.is_fused = true;
    fused();
  }
}

std::vector<GatheringChoice> GatheringRule::choices() {
  std::vector<GatheringChoice> all;
  for (Class& entry : classes_) {
    collect(entry);
    all.push_back({.columns = entry.key.columns,
                   .type = name_of(entry.key.type),
                   .reads_per_row = entry.key.reads_per_row,
                   .is_in_host_memory = entry.key.is_in_host_memory,
                   .num_measured = entry.num_measured,
                   .fused_seconds = entry.fused_seconds,
                   .two_step_seconds = entry.two_step_seconds,
                   .is_fused = entry.is_fused.value_or(true)});
  }
  return all;
}

GatheringRule::Class& GatheringRule::find(const GatheringClass& of) {
  const auto found = std::ranges::find(classes_, of, &Class::key);
  if (found != classes_.end()) return *found;
  Class made;
  made.key = of;
  classes_.push_back(std::move(made));
  return classes_.back();
}

void GatheringRule::run_both(cudaStream_t stream, Class& entry, const Call& fused, const Call& two_step) {
  Timing timing{.events = {}, .is_fused_first = entry.num_calls % 2 == 0};
  const bool is_timed = entry.num_calls > 0;
  const auto mark = [&](Event& event) {
    if (!is_timed) return;
    cudaEvent_t made = nullptr;
    CUDA_CHECK(cudaEventCreate(&made));
    event.reset(made);
    CUDA_CHECK(cudaEventRecord(made, stream));
  };
  mark(timing.events[0]);
  timing.is_fused_first ? fused() : two_step();
  mark(timing.events[1]);
  timing.is_fused_first ? two_step() : fused();
  mark(timing.events[2]);
  ++entry.num_calls;
  if (is_timed) entry.pending.push_back(std::move(timing));
}

void GatheringRule::collect(Class& entry) {
  std::erase_if(entry.pending, [&](const Timing& timing) {
    const cudaError_t status = cudaEventQuery(timing.events[2].get());
    if (status == cudaErrorNotReady) return false;
    CUDA_CHECK(status);
    std::array<float, 2> milliseconds{};
    for (std::size_t i = 0; i < 2; ++i) {
      CUDA_CHECK(cudaEventElapsedTime(&milliseconds[i], timing.events[i].get(), timing.events[i + 1].get()));
    }
    entry.fused_seconds += 1e-3 * milliseconds[timing.is_fused_first ? 0 : 1];
    entry.two_step_seconds += 1e-3 * milliseconds[timing.is_fused_first ? 1 : 0];
    ++entry.num_measured;
    return true;
  });
  if (entry.num_measured == kMeasured && !entry.is_fused.has_value()) {
    entry.is_fused = entry.fused_seconds <= entry.two_step_seconds;
  }
}

}  // namespace kith::cuda
