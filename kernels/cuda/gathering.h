// Whether a first layer sums rows straight from the feature table, or copies them together first: by
// measurement.
#pragma once

#include <cuda_runtime.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "graph/views.h"
#include "kernels/backend.h"
#include "kernels/cuda/context.h"
#include "kernels/rows.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// Calls that may be expected to take the same time an edge.
struct GatheringClass {
  std::int64_t columns = 0;
  Rows::Type type = Rows::Type::f32;
  Scalar scalar = Scalar::f32;     ///< of the sums
  std::int32_t reads_per_row = 0;  ///< see GatheringChoice
  bool is_in_host_memory = false;

  bool operator==(const GatheringClass&) const = default;

  static GatheringClass of(BlockCsrView block, const Rows& table, Scalar scalar);
};

/// Makes every call the way that is pinned, or else the way that was faster for the first calls of its class.
/// The first call of a class runs both ways, so that all kernels are loaded; the next kMeasured too, between
/// events on the stream and in turns which goes first, as the second one finds rows in the cache. Nothing waits
/// for the events: until all are over, calls are fused. Both ways have to leave the same bits.
class GatheringRule {
 public:
  static constexpr std::int32_t kMeasured = 4;
  using Call = std::function<void()>;

  explicit GatheringRule(Gathering pinned) : pinned_(pinned) {}

  /// A call whose two-step way finds no room for the rows is fused, and so are all later ones of its class.
  void run(cudaStream_t stream, const GatheringClass& of, const Call& fused, const Call& two_step);

  std::vector<GatheringChoice> choices();

 private:
  struct DestroyEvent {
    void operator()(cudaEvent_t event) const { static_cast<void>(cudaEventDestroy(event)); }
  };
  using Event = std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, DestroyEvent>;
  /// Around one call both ways.
  struct Timing {
    std::array<Event, 3> events;
    bool is_fused_first = false;
  };
  struct Class {
    GatheringClass key;
    std::int32_t num_calls = 0;
    std::vector<Timing> pending;
    std::int32_t num_measured = 0;
    double fused_seconds = 0;
    double two_step_seconds = 0;
    std::optional<bool> is_fused;  ///< once it is decided
  };

  Class& find(const GatheringClass& of);
  static void collect(Class& entry);
  static void run_both(cudaStream_t stream, Class& entry, const Call& fused, const Call& two_step);

  Gathering pinned_;
  std::vector<Class> classes_;
};

}  // namespace kith::cuda
