// Controls of the emulated CUDA device for Python: the module _emulation, in the same file as a _core that
// computes on that device.
#include <cuda_runtime.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "tests/support/cuda/emulation.h"

namespace py = pybind11;

namespace {

void check(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}

/// A cudaStream_t as a number.
std::uintptr_t make_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return reinterpret_cast<std::uintptr_t>(stream);
}

void synchronize(std::uintptr_t stream) {
  check(cudaStreamSynchronize(reinterpret_cast<cudaStream_t>(stream)));
}

void set_late(bool is_late) {
  using kith::emulation::Schedule;
  kith::emulation::set_schedule(is_late ? Schedule::late : Schedule::immediate);
}

}  // namespace

PYBIND11_MODULE(_emulation, module) {
  module.def("make_stream", &make_stream, "A new stream, as a number.");
  module.def("synchronize", &synchronize, py::arg("stream"));
  module.def("set_late", &set_late, py::arg("is_late"),
             "Work runs when somebody waits for its stream; else when it is put there.");
  module.def("set_num_orders", &kith::emulation::set_num_orders, py::arg("num_orders"));
  module.def("num_launches", &kith::emulation::num_launches);
  module.def("num_allocations", [] { return kith::emulation::in_use().allocations; });
  module.def("num_library_handles", [] { return kith::emulation::in_use().library_handles; });
}
