#include "train/checkpoint/host_tensor.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "graph/errors.h"

namespace kith {
namespace {

TEST(HostTensor, BringsEveryBitToTheDeviceAndBack) {
  const auto backend = make_cpu_backend();
  for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
    Tensor x = backend->empty(2, 3, scalar);
    const std::vector<double> values = {1.0 / 3, -0.0, 5e-324, std::numeric_limits<float>::denorm_min(),
                                        1e30,    -7};
    backend->upload(values, x);
    const HostTensor copy = download(*backend, "x", x);
    EXPECT_EQ(copy.bytes.size(), 6 * size_of(scalar));
    Tensor y = backend->zeros(2, 3, scalar);
    upload(*backend, copy, y);
    EXPECT_EQ(download(*backend, "x", y), copy);
    EXPECT_TRUE(is_finite(copy));
  }
}

TEST(HostTensor, SeesWhatIsNotFiniteAndRefusesAnotherShape) {
  const auto backend = make_cpu_backend();
  Tensor x = backend->zeros(1, 2, Scalar::f32);
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    backend->upload(std::vector<double>{0, bad}, x);
    EXPECT_FALSE(is_finite(download(*backend, "x", x)));
  }
  const HostTensor copy = download(*backend, "x", x);
  Tensor other = backend->zeros(2, 1, Scalar::f32), wider = backend->zeros(1, 2, Scalar::f64);
  EXPECT_THROW(upload(*backend, copy, other), InvalidArgument);
  EXPECT_THROW(upload(*backend, copy, wider), InvalidArgument);
}

}  // namespace
}  // namespace kith
