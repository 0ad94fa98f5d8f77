#include "tests/support/cuda/emulated/library.h"

namespace kith::emulation {

double read_number(const void* data, cudaDataType type, std::int64_t index) {
  switch (type) {
    case CUDA_R_32F:
      return static_cast<const float*>(data)[index];
    case CUDA_R_64F:
      return static_cast<const double*>(data)[index];
    case CUDA_R_16F:
      return half_value(static_cast<const std::uint16_t*>(data)[index]);
    default:
      return bfloat16_value(static_cast<const std::uint16_t*>(data)[index]);
  }
}

void write_number(void* data, cudaDataType type, std::int64_t index, double value) {
  switch (type) {
    case CUDA_R_32F:
      static_cast<float*>(data)[index] = static_cast<float>(value);
      break;
    case CUDA_R_64F:
      static_cast<double*>(data)[index] = value;
      break;
    case CUDA_R_16F:
      static_cast<std::uint16_t*>(data)[index] = half_bits(static_cast<float>(value));
      break;
    default:
      static_cast<std::uint16_t*>(data)[index] = bfloat16_bits(static_cast<float>(value));
  }
}

bool is_number_type(cudaDataType type) {
  return type == CUDA_R_32F || type == CUDA_R_64F || type == CUDA_R_16F || type == CUDA_R_16BF;
}

}  // namespace kith::emulation
