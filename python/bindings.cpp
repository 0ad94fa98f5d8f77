#include "python/bindings.h"

#include <pybind11/stl.h>

#include <exception>

#include "graph/errors.h"
#include "kernels/backend.h"
#include "partition/partition.h"
#include "train/report.h"

namespace py = pybind11;

namespace {

void translate(std::exception_ptr error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const kith::InvalidArgument& e) {
    PyErr_SetString(PyExc_ValueError, e.what());
  } catch (const kith::IoError& e) {
    PyErr_SetString(PyExc_OSError, e.what());
  } catch (const kith::Error& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  }
}

py::dict build_info() {
  return py::dict(py::arg("version") = kith::kVersion, py::arg("compiler") = KITH_BUILD_COMPILER,
                  py::arg("cuda") = KITH_BUILD_CUDA, py::arg("blas") = KITH_BUILD_BLAS,
                  py::arg("metis_index_bits") = kith::metis_index_bits());
}

}  // namespace

PYBIND11_MODULE(_core, module) {
  module.doc() = "The engine behind the kith package; use the package.";
  py::register_exception_translator(&translate);
  module.attr("version") = kith::kVersion;
  module.def("available_devices", &kith::available_devices,
             "Devices that this build can compute on, here and now.");
  module.def("build_info", &build_info, "What the module was built of.");
  kith::python::bind_dataset(module);
  kith::python::bind_loader(module);
  kith::python::bind_ops(module);
  kith::python::bind_training(module);
}
