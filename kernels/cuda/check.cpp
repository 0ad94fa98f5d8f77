#include "kernels/cuda/check.h"

#include <string_view>

namespace kith::cuda {

void throw_device_error(const char* status, const char* call, const char* file, int line) {
  // The call without its arguments says enough, and the file without the machine's folders.
  std::string_view name(call);
  name = name.substr(0, name.find('('));
  std::string_view path(file);
  if (const std::size_t root = path.rfind("kernels/"); root != std::string_view::npos) path.remove_prefix(root);
  throw DeviceError(
      concat("--device cuda: ", name, " failed at ", path, ":", line, ": ", status,
             ". CUDA_LAUNCH_BLOCKING=1 names the call that caused it; --device cpu does without"));
}

}  // namespace kith::cuda
