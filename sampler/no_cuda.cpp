// Takes the place of cuda/ in a build without CUDA.
#include "graph/errors.h"
#include "sampler/device_sampler.h"

namespace kith {

std::unique_ptr<DeviceSampler> make_device_sampler(Backend&, CsrView, const Communities&, const SamplerOptions&,
                                                   CsrView) {
  throw DeviceError("make_device_sampler: this version was built without CUDA");
}

}  // namespace kith
