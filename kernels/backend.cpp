#include "kernels/backend.h"

#include "graph/errors.h"

namespace kith {

Gathering parse_gathering(std::string_view name) {
  if (name == "auto") return Gathering::automatic;
  if (name == "fused") return Gathering::fused;
  if (name == "two-step") return Gathering::two_step;
  throw InvalidArgument(concat("--gather: expected auto, fused or two-step, got '", name, "'"));
}

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

LossResult Backend::read_loss(const Tensor& totals) {
  std::array<double, 3> values{};
  download(totals, values);
  return {.loss = values[0],
          .correct = static_cast<std::int64_t>(values[1]),
          .counted = static_cast<std::int64_t>(values[2])};
}

std::vector<std::string> available_devices() {
  std::vector<std::string> devices{"cpu"};
  if (num_cuda_devices() > 0) devices.emplace_back("cuda");
  return devices;
}

std::unique_ptr<Backend> make_backend(std::string_view device, const BackendOptions& options) {
  KITH_CHECK(device == "auto" || device == "cpu" || device == "cuda", InvalidArgument,
             "--device: expected auto, cpu or cuda, got '", device, "'");
  if (device == "cuda" || (device == "auto" && num_cuda_devices() > 0)) return make_cuda_backend(options);
  const bool is_gathering_told = options.gathering != Gathering::automatic;
  KITH_CHECK(!options.stream, InvalidArgument, "make_backend: a lent stream needs --device cuda, got ", device);
  KITH_CHECK(!options.allow_tf32 && !options.use_cusparse && !is_gathering_told, InvalidArgument,
             options.allow_tf32  ? "--tf32"
             : is_gathering_told ? "--gather"
                                 : "--cusparse",
             ": expected --device cuda, got ", device);
  return make_cpu_backend();
}

}  // namespace kith
