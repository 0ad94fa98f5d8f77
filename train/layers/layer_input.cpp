#include "train/layers/layer_input.h"

#include <algorithm>

namespace kith {

const Tensor input_rows(Backend& backend, const LayerInput& input, std::int64_t first, std::int64_t count,
                        Scalar scalar) {
  if (input.hidden) return input.hidden->view_rows(first, count);
  Tensor rows = backend.empty(count, input.dim(), scalar);
  backend.read_rows(input.features, first, rows);
  return rows;
}

Tensor project(Backend& backend, const LayerInput& input, const Tensor& weight, std::int64_t num_nodes) {
  Tensor projected = backend.empty(num_nodes, weight.cols(), weight.scalar());
  for (std::int64_t first = 0; first < num_nodes; first += kChunkRows) {
    const std::int64_t count = std::min(kChunkRows, num_nodes - first);
    const Tensor rows = input_rows(backend, input, first, count, weight.scalar());
    Tensor out = projected.view_rows(first, count);
    backend.matmul(rows, false, weight, false, 0, out);
  }
  return projected;
}

Tensor infer_aggregated(Backend& backend, CsrView graph, std::span<const float> edge_weights,
                        const LayerInput& input, const Tensor& weight) {
  const std::int64_t num_nodes = graph.num_nodes();
  const bool project_first = weight.cols() < weight.rows();
  const Tensor projected = project_first ? project(backend, input, weight, num_nodes) : Tensor();
  Tensor out = backend.empty(num_nodes, weight.cols(), weight.scalar());
  for (std::int64_t first = 0; first < num_nodes; first += kChunkRows) {
    const std::int64_t count = std::min(kChunkRows, num_nodes - first);
    const auto first_node = static_cast<NodeId>(first);
    Tensor out_rows = out.view_rows(first, count);
    if (project_first) {
      backend.aggregate_rows(graph, edge_weights, first_node, projected, out_rows);
      continue;
    }
    Tensor aggregated = backend.empty(count, input.dim(), weight.scalar());
    if (input.hidden) {
      backend.aggregate_rows(graph, edge_weights, first_node, *input.hidden, aggregated);
    } else {
      backend.aggregate_rows(graph, edge_weights, first_node, input.features, aggregated);
    }
    backend.matmul(aggregated, false, weight, false, 0, out_rows);
  }
  return out;
}

Tensor aggregate_input(Backend& backend, const WeightedBlock& block, const LayerInput& input, Scalar scalar) {
  Tensor aggregated = backend.empty(block.block.num_destinations(), input.dim(), scalar);
  if (input.hidden) {
    backend.aggregate(block.block, block.edge_weights, *input.hidden, aggregated);
  } else {
    backend.aggregate(block.block, block.edge_weights, input.features, input.ids, aggregated);
  }
  return aggregated;
}

}  // namespace kith
