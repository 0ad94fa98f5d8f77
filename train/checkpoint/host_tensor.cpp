#include "train/checkpoint/host_tensor.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "graph/errors.h"

namespace kith {
namespace {

static_assert(std::endian::native == std::endian::little, "checkpoints are little-endian");

template <typename T>
T value_at(const HostTensor& tensor, std::size_t i) {
  T value;
  std::memcpy(&value, tensor.bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

std::size_t num_values(const HostTensor& tensor) { return tensor.bytes.size() / size_of(tensor.scalar); }

double as_double(const HostTensor& tensor, std::size_t i) {
  return tensor.scalar == Scalar::f32 ? value_at<float>(tensor, i) : value_at<double>(tensor, i);
}

}  // namespace

HostTensor download(Backend& backend, std::string name, const Tensor& from) {
  // Every f32 is a double, so the way through doubles keeps all bits.
  std::vector<double> values(static_cast<std::size_t>(from.size()));
  backend.download(from, values);
  HostTensor to{.name = std::move(name),
                .rows = from.rows(),
                .cols = from.cols(),
                .scalar = from.scalar(),
                .bytes = std::vector<std::byte>(values.size() * size_of(from.scalar()))};
  if (to.scalar == Scalar::f64) {
    if (!values.empty()) std::memcpy(to.bytes.data(), values.data(), to.bytes.size());
    return to;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<float>(values[i]);
    std::memcpy(to.bytes.data() + i * sizeof(float), &value, sizeof(float));
  }
  return to;
}

void upload(Backend& backend, const HostTensor& from, Tensor& to) {
  KITH_CHECK(from.rows == to.rows() && from.cols == to.cols() && from.scalar == to.scalar(), InvalidArgument,
             from.name, ": expected ", to.rows(), " x ", to.cols(), " values of ", size_of(to.scalar()),
             " bytes, got ", from.rows, " x ", from.cols, " of ", size_of(from.scalar));
  std::vector<double> values(num_values(from));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = as_double(from, i);
  backend.upload(values, to);
}

bool is_finite(const HostTensor& tensor) {
  for (std::size_t i = 0; i < num_values(tensor); ++i) {
    if (!std::isfinite(as_double(tensor, i))) return false;
  }
  return true;
}

}  // namespace kith
