// The parts of the module `_core`, one file each. They convert, release the GIL and nothing else.
// They must not see kith::concat (graph/errors.h): pybind11 calls a `concat` of its own with types of ours, and
// would find that one too.
#pragma once

#include <pybind11/pybind11.h>

namespace kith::python {

void bind_dataset(pybind11::module_& module);
void bind_loader(pybind11::module_& module);
void bind_ops(pybind11::module_& module);
void bind_training(pybind11::module_& module);

}  // namespace kith::python
