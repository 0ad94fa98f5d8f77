// Tensors in host memory, bit for bit: what a checkpoint holds of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/tensor.h"

namespace kith {

/// A copy of a tensor, independent of any device.
struct HostTensor {
  std::string name;
  std::int64_t rows = 0, cols = 0;
  Scalar scalar = Scalar::f32;
  std::vector<std::byte> bytes;  ///< [rows x cols] values, row-major, little-endian

  bool operator==(const HostTensor&) const = default;
};

/// Waits for the device.
HostTensor download(Backend& backend, std::string name, const Tensor& from);

/// Throws InvalidArgument, naming the tensor, unless `to` has its shape and scalar.
void upload(Backend& backend, const HostTensor& from, Tensor& to);

bool is_finite(const HostTensor& tensor);

}  // namespace kith
