// Compares batches of a device with those of the host.
#pragma once

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/csr_graph.h"
#include "kernels/backend.h"
#include "sampler/device_sampler.h"
#include "sampler/neighbor_sampler.h"
#include "tests/sampler/batch_checks.h"

namespace kith::test {

/// Waits until all operations that the backend was asked for are done.
inline void finish(Backend& backend) {
  Tensor x = backend.empty(1, 1, Scalar::f64);
  backend.upload(std::vector<double>{0}, x);
}

template <typename T>
std::vector<T> to_host(std::span<const T> on_device) {
  std::vector<T> result(on_device.size());
  EXPECT_EQ(cudaMemcpy(result.data(), on_device.data(), on_device.size_bytes(), cudaMemcpyDeviceToHost),
            cudaSuccess);
  return result;
}

/// The batch on the host, as an operation of the backend would find it.
inline MiniBatch on_host(Backend& backend, const DeviceSample& sample) {
  backend.wait_for(sample.arrays);
  finish(backend);
  MiniBatch batch{.input_nodes = to_host(sample.input_nodes),
                  .hop_bounds = sample.hop_bounds,
                  .offsets = to_host(sample.offsets),
                  .sources = to_host(sample.sources),
                  .weights = to_host(sample.weights),
                  .edges = to_host(sample.edges),
                  .num_intra_edges = sample.num_intra_edges};
  EXPECT_EQ(sample.edge_bounds.size(), batch.hop_bounds.size());
  EXPECT_EQ(sample.edge_bounds.front(), 0);
  for (std::size_t hop = 1; hop < batch.hop_bounds.size(); ++hop) {
    EXPECT_EQ(sample.edge_bounds[hop], batch.offsets[static_cast<std::size_t>(batch.hop_bounds[hop - 1])]);
  }
  return batch;
}

/// Both samplers of the same graph and options.
class SamplerPair {
 public:
  SamplerPair(Backend& backend, CsrView graph, const Communities& communities, const SamplerOptions& options)
      : backend_(backend),
        on_device_(make_device_sampler(backend, graph, communities, options)),
        on_host_(graph, communities, options) {}

  DeviceSampler& on_device() { return *on_device_; }
  const NeighborSampler& on_host() const { return on_host_; }

  /// Fails unless both draw the same. p_intra: in the place of the options', if given.
  void compare(std::span<const NodeId> roots, std::int32_t epoch, std::int64_t batch_index,
               std::optional<double> p_intra = std::nullopt) {
    expect_equal(test::on_host(backend_, on_device_->sample(roots, epoch, batch_index, p_intra)),
                 on_host_.sample(roots, epoch, batch_index, p_intra));
  }

 private:
  Backend& backend_;
  std::unique_ptr<DeviceSampler> on_device_;
  NeighborSampler on_host_;
};

/// A backend of the device that the parameter names.
class OnSamplingDevice : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Backend> backend_ = make_backend(GetParam());
};

}  // namespace kith::test
