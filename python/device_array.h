// What the kernels read and write: NumPy's arrays on the CPU, addresses in a GPU's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "graph/views.h"
#include "kernels/backend.h"
#include "kernels/memo.h"
#include "python/arrays.h"

namespace kith::python {

/// Contiguous values in a device's memory, where the host must not look: what torch's data_ptr() says. Whoever
/// writes and reads them does so on the stream of the backend that they are given to.
class DeviceArray {
 public:
  /// owner: kept alive. dtype: "float32", "float64" or "int32". Throws ValueError for another one.
  DeviceArray(py::object owner, std::uintptr_t address, std::int64_t rows, std::int64_t cols,
              std::string dtype);

  const std::string& dtype() const { return dtype_; }
  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  void* data() const { return data_; }

 private:
  py::object owner_;
  void* data_;
  std::int64_t rows_;
  std::int64_t cols_;
  std::string dtype_;
};

/// A block over arrays that it keeps alive. Checked once, where it is made of host arrays; the arrays must not
/// change afterwards.
class ArrayBlock {
 public:
  ArrayBlock(std::int32_t num_src, Input<std::int32_t> indptr, Input<std::int32_t> indices);

  /// The same block in a device's memory, for one stream: what operations derive from it is kept, in the order
  /// of that stream. The values are trusted to be those of this block. Throws ValueError for other sizes.
  std::unique_ptr<ArrayBlock> on_device(const DeviceArray& indptr, const DeviceArray& indices) const;

  bool is_on_device() const { return memo_ != nullptr; }
  BlockCsrView view() const { return view_; }

 private:
  ArrayBlock(BlockCsrView view, py::object indptr, py::object indices);

  py::object indptr_;
  py::object indices_;
  std::unique_ptr<Memo> memo_;  ///< on a device
  BlockCsrView view_;
};

/// Takes the arguments of one operation. Throws ValueError for what is not in the memory that its backend
/// reads.
class Arguments {
 public:
  Arguments(Backend& backend, const ArrayBlock& block);

  BlockCsrView block() const { return block_.view(); }
  /// A float32 or float64 matrix as a tensor that stays the caller's.
  const Tensor input(const py::object& matrix) const { return tensor(matrix, false); }
  /// The same, to be written. Throws ValueError if it is read-only.
  Tensor output(const py::object& matrix) const { return tensor(matrix, true); }
  /// One row of values of exactly this type.
  std::span<float> floats(const py::object& row) const { return values<float>(row, "float32"); }
  std::span<std::int32_t> ints(const py::object& row) const { return values<std::int32_t>(row, "int32"); }

  /// Calls operations: on the CPU without the GIL; on a device, where they are only launched, with it, because
  /// one thread at a time may do so.
  template <typename Operations>
  void run(const Operations& operations) const {
    if (block_.is_on_device()) return backend_.run(operations);
    const py::gil_scoped_release release;
    operations();
  }

 private:
  Tensor tensor(const py::object& matrix, bool is_written) const;
  const DeviceArray& on_device(const py::object& values) const;
  template <typename T>
  std::span<T> values(const py::object& row, const char* dtype) const;

  Backend& backend_;
  const ArrayBlock& block_;
};

void bind_device_array(py::module_& module);

}  // namespace kith::python
