// Takes the place of cuda/ in a build without CUDA.
#include "graph/errors.h"
#include "kernels/backend.h"

namespace kith {

int num_cuda_devices() { return 0; }

std::unique_ptr<Backend> make_cuda_backend(const BackendOptions&) {
  throw DeviceError("--device cuda: no CUDA device (this version was built without CUDA)");
}

}  // namespace kith
