// A CUDA backend on a stream of somebody else's, on the emulated device.
#include <cuda_runtime.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "graph/errors.h"
#include "kernels/backend.h"
#include "tests/kernels/blocks.h"
#include "tests/kernels/on_device.h"
#include "tests/support/cuda/emulation.h"

namespace kith {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class LentStreams : public ::testing::Test {
 protected:
  ~LentStreams() override { emulation::reset(); }

  static cudaStream_t make_stream() {
    cudaStream_t stream = nullptr;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    return stream;
  }
  static std::unique_ptr<Backend> make_on(cudaStream_t stream) {
    const auto handle = reinterpret_cast<std::uintptr_t>(stream);
    return make_backend("cuda", {.stream = LentStream{.device = 0, .handle = handle}});
  }
  /// Pinned, so that a copy of it runs when its stream comes there.
  static float* make_pinned(float value) {
    float* pinned = nullptr;
    cudaMallocHost(&pinned, sizeof(float));
    *pinned = value;
    return pinned;
  }
  static void queue_copy(const Tensor& from, float* pinned, cudaStream_t stream) {
    cudaMemcpyAsync(pinned, from.data<float>(), sizeof(float), cudaMemcpyDeviceToHost, stream);
  }
};

TEST_F(LentStreams, HoldTheOperationsAndNoOtherStreamDoes) {
  cudaStream_t const lent = make_stream();
  cudaStream_t const other = make_stream();
  const auto backend = make_on(lent);
  float* const seen = make_pinned(0);
  Tensor x = backend->empty(1, 1, Scalar::f32);
  backend->run([&] { backend->fill(x, 7); });
  queue_copy(x, seen, lent);
  cudaStreamSynchronize(other);
  EXPECT_EQ(*seen, 0) << "the call waited, or ran somewhere else";
  cudaStreamSynchronize(lent);
  EXPECT_EQ(*seen, 7);
}

TEST_F(LentStreams, MayBeTheDefaultStream) {
  const auto backend = make_on(nullptr);
  float* const seen = make_pinned(0);
  Tensor x = backend->empty(1, 1, Scalar::f32);
  backend->fill(x, 7);
  queue_copy(x, seen, nullptr);
  EXPECT_EQ(*seen, 0);
  cudaStreamSynchronize(nullptr);
  EXPECT_EQ(*seen, 7);
}

TEST_F(LentStreams, AreLeftAloneWhenTheBackendGoes) {
  cudaStream_t const lent = make_stream();
  const emulation::InUse before = emulation::in_use();
  float* const seen = make_pinned(0);
  {
    const auto backend = make_on(lent);
    EXPECT_EQ(emulation::in_use().library_handles, before.library_handles) << "cuBLAS is for who multiplies";
    Tensor x = backend->empty(1, 1, Scalar::f32);
    backend->fill(x, 7);
    queue_copy(x, seen, lent);
  }
  EXPECT_EQ(*seen, 0) << "the backend waited for a stream that is not its own";
  cudaStreamSynchronize(lent);
  EXPECT_EQ(*seen, 7);
  EXPECT_EQ(emulation::in_use().streams, before.streams);
  EXPECT_EQ(emulation::in_use().allocations, before.allocations);
}

TEST_F(LentStreams, CarryProductsToo) {
  cudaStream_t const lent = make_stream();
  const auto backend = make_on(lent);
  Tensor a = backend->empty(2, 2, Scalar::f32);
  Tensor c = backend->empty(2, 2, Scalar::f32);
  backend->fill(a, 3);
  backend->matmul(a, false, a, false, 0, c);
  std::vector<double> values(4);
  backend->download(c, values);
  EXPECT_EQ(values, std::vector<double>(4, 18));
}

TEST_F(LentStreams, GiveTheBitsOfAStreamOfItsOwn) {
  const test::Block block = test::random_block(30, 40, 200);
  const auto sum = [&](Backend& backend) {
    const test::DeviceBlock on_device(backend, block);
    Tensor x = backend.empty(block.num_sources, 5, Scalar::f32);
    backend.upload(test::random_values(x.size(), 1), x);
    Tensor out = backend.empty(block.num_destinations(), 5, Scalar::f32);
    backend.aggregate(on_device.view(), on_device.weights(), x, out);
    std::vector<double> values(static_cast<std::size_t>(out.size()));
    backend.download(out, values);
    return values;
  };
  EXPECT_EQ(sum(*make_on(make_stream())), sum(*make_backend("cuda")));
}

TEST_F(LentStreams, OfADeviceThatIsNotThereAreRefused) {
  EXPECT_THAT([] { make_backend("cuda", {.stream = LentStream{.device = 1}}); },
              ThrowsMessage<DeviceError>(HasSubstr("device of a lent stream must be in [0, 1), got 1")));
  EXPECT_THAT([] { make_backend("cpu", {.stream = LentStream{}}); },
              ThrowsMessage<InvalidArgument>(HasSubstr("a lent stream needs --device cuda, got cpu")));
}

}  // namespace
}  // namespace kith
