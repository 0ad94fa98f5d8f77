// One batch of every kind of model, and a small model for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "sampler/neighbor_sampler.h"
#include "tests/support/learnable.h"
#include "train/device_batch.h"
#include "train/model.h"
#include "train/model_adjacency.h"

namespace kith::test {

/// One sampled batch of a small dataset, ready for a model.
struct OneBatch {
  Dataset dataset = test::learnable_dataset();
  std::vector<NodeId> input_nodes;
  BatchAdjacency adjacency;
  std::vector<std::int32_t> labels;

  explicit OneBatch(ModelKind kind, std::int32_t num_layers = 2, bool is_unbiased = false) {
    const NeighborSampler sampler(
        dataset.graph.view(), dataset.levels[0],
        {.fanouts = std::vector<std::int32_t>(num_layers, 3), .p_intra = 0.7, .is_unbiased = is_unbiased});
    const std::vector<NodeId> roots = {3, 50, 51, 200, 399};
    MiniBatch batch = sampler.sample(roots, 0, 0);
    input_nodes = batch.input_nodes;
    adjacency = make_adjacency(kind, batch, dataset.graph.view());
    for (const NodeId root : roots) labels.push_back(dataset.labels.of_node[root]);
    labels[1] = kNoLabel;
  }

  /// The batch on `backend`'s device, and the features there; refers to the fixture.
  DeviceBatch batch(Backend& backend) const {
    FeatureView features = dataset.features.view();
    const auto num_bytes = static_cast<std::size_t>(features.num_rows) * features.row_bytes();
    DeviceArrays table = backend.table_to_device(std::span(features.data, num_bytes));
    features.data = table.get<std::byte>(0).data();
    DeviceBatch result = to_device(backend, adjacency, features, input_nodes, labels);
    result.arrays.push_back(std::move(table));
    result.wait_on(backend);
    return result;
  }

  ModelOptions options(ModelKind kind, std::int32_t num_layers, Scalar scalar) const {
    return {.kind = kind,
            .in_channels = 8,
            .hidden_channels = kind == ModelKind::gat ? 6 : 5,
            .out_channels = 4,
            .num_layers = num_layers,
            .heads = kind == ModelKind::gat ? 2 : 1,
            .dropout = 0.3,
            .scalar = scalar,
            .seed = 7};
  }
};

}  // namespace kith::test
