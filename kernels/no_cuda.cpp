// Takes the place of cuda/ in a build without CUDA.
#include "graph/errors.h"
#include "kernels/backend.h"
#include "kernels/row_tier.h"

namespace kith {

int num_cuda_devices() { return 0; }

std::unique_ptr<Backend> make_cuda_backend(const BackendOptions&) {
  throw DeviceError("--device cuda: no CUDA device (this version was built without CUDA)");
}

std::unique_ptr<RowTier> make_row_tier(Backend&, std::int64_t, std::size_t) {
  throw DeviceError("make_row_tier: this version was built without CUDA");
}

}  // namespace kith
