// Both ways from a feature table to sums, and the rule that chooses between them, on the emulated device.
#include "kernels/cuda/gathering.h"

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <list>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "graph/errors.h"
#include "kernels/cuda/cuda_backend.h"
#include "tests/kernels/blocks.h"
#include "tests/kernels/on_device.h"
#include "tests/support/cuda/emulation.h"
#include "tests/support/errors.h"

namespace kith {
namespace {

using test::Block;
using test::block_with_hubs;
using test::DeviceBlock;
using test::random_block;

class GatheringTest : public ::testing::Test {
 protected:
  GatheringTest() { emulation::reset(); }
  ~GatheringTest() override { emulation::reset(); }
};

/// The block with weights whose products and sums are rounded, so that another order of a sum shows.
Block with_uneven_weights(Block block) {
  for (std::size_t e = 0; e < block.weights.size(); ++e) {
    block.weights[e] = 1.0F / static_cast<float>(3 + e % 97);
  }
  return block;
}

/// A backend with a block and a table of its sources' rows in reverse order.
struct Case {
  std::unique_ptr<Backend> backend;
  Block block;
  DeviceBlock device_block;
  std::vector<std::byte> bytes;
  std::vector<NodeId> ids;
  DeviceArrays there;
  FeatureView table;

  Case(const Block& b, std::int32_t dim, FeatureType type, const BackendOptions& options,
       bool is_in_host_memory = false)
      : backend(make_backend("cuda", options)),
        block(with_uneven_weights(b)),
        device_block(*backend, block),
        bytes(static_cast<std::size_t>(b.num_sources) * static_cast<std::size_t>(dim) *
              (type == FeatureType::f32 ? 4 : 2)),
        ids(static_cast<std::size_t>(b.num_sources)) {
    std::mt19937_64 random(3);
    for (std::size_t i = 0; i < bytes.size();
         i += 2) {  // halves of 2^-8 to 2, the upper half of each float too
      const auto bits = static_cast<std::uint16_t>(0x3c00 + random() % 0x400);
      std::memcpy(&bytes[i], &bits, 2);
    }
    std::iota(ids.rbegin(), ids.rend(), 0);
    if (is_in_host_memory) emulation::set_memory_limit(emulation::in_use().device_bytes + 1);
    there = backend->table_to_device(bytes);
    emulation::set_memory_limit(std::size_t{1} << 30);
    backend->wait_for(there);
    table = {there.get<std::byte>(0).data(), b.num_sources, dim, type};
  }

  std::vector<double> sums(Scalar scalar, bool is_weighted) {
    const DeviceArrays ids_there = backend->to_device(std::span<const NodeId>(ids));
    backend->wait_for(ids_there);
    Tensor out = backend->empty(block.num_destinations(), table.dim, scalar);
    backend->aggregate(device_block.view(), device_block.weights(is_weighted), table, ids_there.get<NodeId>(0),
                       out);
    std::vector<double> values(static_cast<std::size_t>(out.size()));
    backend->download(out, values);
    return values;
  }

  std::int64_t launches() {
    const std::int64_t before = emulation::num_launches();
    sums(Scalar::f32, false);
    return emulation::num_launches() - before;
  }
};

TEST_F(GatheringTest, BothWaysGiveTheSameBits) {
  for (const Block& block : {block_with_hubs(), random_block(40, 70, 200)}) {
    for (const FeatureType type : {FeatureType::f32, FeatureType::f16, FeatureType::bf16}) {
      for (const std::int32_t dim : {1, 6, 47, 64, 100, 272}) {
        for (const bool is_weighted : {false, true}) {
          const Scalar scalar = dim == 6 ? Scalar::f64 : Scalar::f32;
          EXPECT_EQ(Case(block, dim, type, {.gathering = Gathering::fused}).sums(scalar, is_weighted),
                    Case(block, dim, type, {.gathering = Gathering::two_step}).sums(scalar, is_weighted))
              << dim << " columns of type " << static_cast<int>(type);
        }
      }
    }
  }
}

TEST_F(GatheringTest, ACacheOfAnotherSizeGivesTheSameBits) {
  const auto sums = [](int l2_bytes) {
    emulation::properties().l2CacheSize = l2_bytes;
    return Case(block_with_hubs(), 602, FeatureType::f16, {.gathering = Gathering::fused})
        .sums(Scalar::f32, true);
  };
  const std::vector<double> untiled = sums(1000);
  EXPECT_EQ(sums(2 * 130 * 128), untiled);
  EXPECT_EQ(sums(2 * 130 * 256), untiled);
}

TEST_F(GatheringTest, APinnedWayIsTheOnlyOne) {
  Case fused(random_block(40, 70, 200), 8, FeatureType::f32, {.gathering = Gathering::fused});
  Case two_step(random_block(40, 70, 200), 8, FeatureType::f32, {.gathering = Gathering::two_step});
  for (int call = 0; call < 6; ++call) {
    EXPECT_EQ(fused.launches(), 1);
    EXPECT_EQ(two_step.launches(), 2);
  }
  EXPECT_TRUE(fused.backend->gathering_choices().empty());
}

TEST_F(GatheringTest, TheFirstCallsOfAClassRunBothWaysAndLaterOnesTheChosen) {
  Case automatic(random_block(40, 70, 200), 8, FeatureType::f16, {});
  const std::vector<double> first = automatic.sums(Scalar::f32, false);
  for (int call = 0; call < cuda::GatheringRule::kMeasured; ++call) EXPECT_EQ(automatic.launches(), 3);
  EXPECT_EQ(automatic.sums(Scalar::f32, false), first);
  const std::vector<GatheringChoice> choices = automatic.backend->gathering_choices();
  ASSERT_EQ(choices.size(), 1U);
  EXPECT_EQ(choices[0].columns, 8);
  EXPECT_EQ(choices[0].type, "f16");
  EXPECT_EQ(choices[0].reads_per_row, 4);  // 315 edges of 70 sources
  EXPECT_FALSE(choices[0].is_in_host_memory);
  EXPECT_EQ(choices[0].num_measured, cuda::GatheringRule::kMeasured);
  EXPECT_EQ(choices[0].is_fused, choices[0].fused_seconds <= choices[0].two_step_seconds);
  EXPECT_EQ(automatic.launches(), choices[0].is_fused ? 1 : 2);
}

TEST_F(GatheringTest, AnotherTypeOfTheSumsIsAClassOfItsOwn) {
  Case automatic(random_block(40, 70, 200), 8, FeatureType::f32, {});
  automatic.sums(Scalar::f32, false);
  automatic.sums(Scalar::f64, false);
  EXPECT_EQ(automatic.backend->gathering_choices().size(), 2U);
}

TEST_F(GatheringTest, ATableInHostMemoryIsAClassOfItsOwn) {
  Case automatic(random_block(40, 70, 200), 8, FeatureType::f32, {}, true);
  automatic.sums(Scalar::f32, false);
  ASSERT_EQ(automatic.backend->gathering_choices().size(), 1U);
  EXPECT_TRUE(automatic.backend->gathering_choices()[0].is_in_host_memory);
}

TEST_F(GatheringTest, WithoutRoomForTheRowsCallsAreFused) {
  Case automatic(random_block(40, 500, 200), 64, FeatureType::f16, {});
  const std::vector<double> expected = automatic.sums(Scalar::f32, false);
  emulation::set_memory_limit(emulation::in_use().device_bytes + 500 * 64 * 4 - 1);
  EXPECT_EQ(automatic.sums(Scalar::f32, false), expected);
  emulation::set_memory_limit(std::size_t{1} << 30);
  EXPECT_EQ(automatic.launches(), 1);
}

/// Calls of a rule that do nothing but take time on the stream, one way or the other.
class RuleTest : public GatheringTest {
 protected:
  cuda::GatheringRule::Call taking(int milliseconds) {
    return [this, milliseconds] {
      auto* const time = &times_.emplace_back(milliseconds);
      const auto sleep = [](void* ms) {
        std::this_thread::sleep_for(std::chrono::milliseconds(*static_cast<int*>(ms)));
      };
      ASSERT_EQ(cudaLaunchHostFunc(stream(), sleep, time), cudaSuccess);
    };
  }
  cudaStream_t stream() { return static_cast<cuda::CudaBackend&>(*backend_).context().stream; }

  std::unique_ptr<Backend> backend_ = make_backend("cuda");
  std::list<int> times_;
};

TEST_F(RuleTest, ChoosesWhatTookLess) {
  for (const bool is_fused_slow : {false, true}) {
    cuda::GatheringRule rule(Gathering::automatic);
    const cuda::GatheringClass key{.columns = 1};
    const auto call = [&] {
      rule.run(stream(), key, taking(is_fused_slow ? 40 : 0), taking(is_fused_slow ? 0 : 40));
    };
    for (int i = 0; i <= cuda::GatheringRule::kMeasured; ++i) call();
    EXPECT_EQ(rule.choices()[0].num_measured, 0) << "nothing has run yet, and nobody waited for it";
    ASSERT_EQ(cudaStreamSynchronize(stream()), cudaSuccess);
    const GatheringChoice choice = rule.choices()[0];
    EXPECT_EQ(choice.num_measured, cuda::GatheringRule::kMeasured);
    EXPECT_EQ(choice.is_fused, !is_fused_slow)
        << choice.fused_seconds << " s, " << choice.two_step_seconds << " s";
    times_.clear();
    call();
    EXPECT_EQ(times_, std::list<int>{0}) << "the slow way ran again";
    ASSERT_EQ(cudaStreamSynchronize(stream()), cudaSuccess);
  }
}

TEST(Gatherings, HaveNames) {
  EXPECT_EQ(parse_gathering("auto"), Gathering::automatic);
  EXPECT_EQ(parse_gathering("fused"), Gathering::fused);
  EXPECT_EQ(parse_gathering("two-step"), Gathering::two_step);
  EXPECT_EQ(test::error_of<InvalidArgument>([] { parse_gathering("both"); }),
            "--gather: expected auto, fused or two-step, got 'both'");
  EXPECT_EQ(test::error_of<InvalidArgument>([] { make_backend("cpu", {.gathering = Gathering::fused}); }),
            "--gather: expected --device cuda, got cpu");
}

}  // namespace
}  // namespace kith
