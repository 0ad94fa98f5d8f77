// Finds CUDA devices. Nothing computes on them yet.
#include <cuda_runtime_api.h>

#include "graph/errors.h"
#include "kernels/backend.h"

namespace kith {

int num_cuda_devices() { return 0; }  // found, but not used yet

std::unique_ptr<Backend> make_cuda_backend() {
  int num_devices = 0;
  cudaError_t status = cudaGetDeviceCount(&num_devices);
  if (status == cudaSuccess && num_devices == 0) {
    status = cudaErrorNoDevice;
  }
  KITH_CHECK(status == cudaSuccess, DeviceError, "--device cuda: no CUDA device (", cudaGetErrorString(status),
             ")");
  cudaDeviceProp properties{};
  status = cudaGetDeviceProperties(&properties, 0);
  KITH_CHECK(status == cudaSuccess, DeviceError, "--device cuda: device 0 does not answer (",
             cudaGetErrorString(status), ")");
  throw DeviceError(concat("--device cuda: found ", properties.name,
                           ", but this version computes on the CPU only; use --device cpu"));
}

}  // namespace kith
