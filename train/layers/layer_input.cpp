#include "train/layers/layer_input.h"

#include <algorithm>
#include <vector>

#include "train/staging/feature_pieces.h"

namespace kith {
namespace {

constexpr std::int64_t kTileRows = 512;  // a multiple of the tiles of a matrix product on the CPU
constexpr std::int64_t kMaxSlices = 64;  // of a table: each costs a look at every node

/// The aggregation over features that lie in a file, of all nodes: it is read once, from its begin to its end.
Tensor aggregate_pieces(Backend& backend, CsrView graph, std::span<const float> edge_weights,
                        const LayerInput& input, Scalar scalar) {
  const std::int64_t num_nodes = graph.num_nodes();
  Tensor out = backend.zeros(num_nodes, input.dim(), scalar);
  std::vector<EdgeOffset> next(graph.offsets.begin(), graph.offsets.end() - 1);
  const std::int64_t max_rows = std::max(input.pieces->max_rows(), num_nodes / kMaxSlices);
  for (std::int64_t first = 0; first < num_nodes; first += max_rows) {
    const std::int64_t count = std::min(max_rows, num_nodes - first);
    const TableSlice slice{.table = input.pieces->read(first, count), .first = static_cast<NodeId>(first)};
    backend.aggregate_slice(graph, edge_weights, slice, next, out);
  }
  return out;
}

}  // namespace

std::int64_t chunk_rows(const LayerInput& input) {
  if (input.pieces == nullptr) return kChunkRows;
  return std::clamp(input.pieces->max_rows() / kTileRows * kTileRows, kTileRows, kChunkRows);
}

const Tensor input_rows(Backend& backend, const LayerInput& input, std::int64_t first, std::int64_t count,
                        Scalar scalar) {
  if (input.hidden) return input.hidden->view_rows(first, count);
  Tensor rows = backend.empty(count, input.dim(), scalar);
  if (input.pieces != nullptr) {
    backend.read_rows(input.pieces->read(first, count), 0, rows);
  } else if (input.stream != nullptr) {
    backend.read_rows(input.stream->nodes(first, count).table, 0, rows);
  } else {
    backend.read_rows(input.features, first, rows);
  }
  return rows;
}

Tensor project(Backend& backend, const LayerInput& input, const Tensor& weight, std::int64_t num_nodes) {
  Tensor projected = backend.empty(num_nodes, weight.cols(), weight.scalar());
  const std::int64_t chunk = chunk_rows(input);
  for (std::int64_t first = 0; first < num_nodes; first += chunk) {
    const std::int64_t count = std::min(chunk, num_nodes - first);
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
  const bool by_pieces = !project_first && input.pieces != nullptr;
  const Tensor all_aggregated =
      by_pieces ? aggregate_pieces(backend, graph, edge_weights, input, weight.scalar()) : Tensor();
  for (std::int64_t first = 0; first < num_nodes; first += kChunkRows) {
    const std::int64_t count = std::min(kChunkRows, num_nodes - first);
    const auto first_node = static_cast<NodeId>(first);
    Tensor out_rows = out.view_rows(first, count);
    if (project_first) {
      backend.aggregate_rows(graph, edge_weights, first_node, projected, out_rows);
      continue;
    }
    if (by_pieces) {
      backend.matmul(all_aggregated.view_rows(first, count), false, weight, false, 0, out_rows);
      continue;
    }
    Tensor aggregated = backend.empty(count, input.dim(), weight.scalar());
    if (input.hidden) {
      backend.aggregate_rows(graph, edge_weights, first_node, *input.hidden, aggregated);
    } else if (input.stream != nullptr) {
      const StreamedRows part = input.stream->neighbors_of(first, count);
      backend.aggregate_rows(graph, edge_weights, first_node, part.rows(), aggregated);
    } else {
      backend.aggregate_rows(graph, edge_weights, first_node, TableRows{.table = input.features}, aggregated);
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
