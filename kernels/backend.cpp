#include "kernels/backend.h"

#include <algorithm>

#include "graph/errors.h"

namespace kith {

Tensor Backend::zeros(std::int64_t rows, std::int64_t cols, Scalar scalar) {
  Tensor x = empty(rows, cols, scalar);
  fill(x, 0);
  return x;
}

Tensor Backend::clone(const Tensor& x) {
  Tensor result = empty(x.rows(), x.cols(), x.scalar());
  copy(x, result);
  return result;
}

std::vector<std::string> available_devices() {
  // The CUDA side finds devices but has no operations yet, so it is not one to compute on.
  return {"cpu"};
}

std::unique_ptr<Backend> make_backend(std::string_view device) {
  KITH_CHECK(device == "auto" || device == "cpu" || device == "cuda", InvalidArgument,
             "--device: expected auto, cpu or cuda, got '", device, "'");
  if (device == "auto") {
    const std::vector<std::string> devices = available_devices();
    return make_backend(std::find(devices.begin(), devices.end(), "cuda") != devices.end() ? "cuda" : "cpu");
  }
  return device == "cuda" ? make_cuda_backend() : make_cpu_backend();
}

}  // namespace kith
