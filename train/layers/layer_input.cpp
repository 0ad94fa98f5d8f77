#include "train/layers/layer_input.h"

#include <algorithm>
#include <vector>

#include "train/staging/feature_pieces.h"

namespace kith {
namespace {

constexpr std::int64_t kTileRows = 512;  // a multiple of the tiles of a matrix product on the CPU

/// out = rows [first, first + out.rows()) of the aggregation over features that lie in a file. As many rows at
/// a time as their neighbours fit into a piece.
void aggregate_pieces(Backend& backend, CsrView graph, std::span<const float> edge_weights,
                      const LayerInput& input, NodeId first, Tensor& out) {
  const auto num_nodes = static_cast<std::size_t>(graph.num_nodes());
  std::vector<bool> is_needed(num_nodes);
  std::vector<NodeId> place(num_nodes);  // in the piece
  for (std::int64_t done = 0; done < out.rows();) {
    std::vector<NodeId> needed;
    std::int64_t count = 0;
    for (; done + count < out.rows(); ++count) {
      const std::size_t before = needed.size();
      for (const NodeId u : graph.row(static_cast<NodeId>(first + done + count))) {
        if (is_needed[static_cast<std::size_t>(u)]) continue;
        is_needed[static_cast<std::size_t>(u)] = true;
        needed.push_back(u);
      }
      if (count == 0 || static_cast<std::int64_t>(needed.size()) <= input.pieces->max_rows()) continue;
      for (std::size_t i = before; i < needed.size(); ++i)
        is_needed[static_cast<std::size_t>(needed[i])] = false;
      needed.resize(before);
      break;
    }
    std::sort(needed.begin(), needed.end());
    for (std::size_t i = 0; i < needed.size(); ++i) {
      place[static_cast<std::size_t>(needed[i])] = static_cast<NodeId>(i);
      is_needed[static_cast<std::size_t>(needed[i])] = false;
    }
    const auto begin = static_cast<NodeId>(first + done);
    const RowsBlock rows = backend.rows_as_block(graph, begin, count);
    const auto first_edge = static_cast<std::size_t>(graph.offsets[begin]);
    const std::span<const float> weights =
        edge_weights.empty()
            ? edge_weights
            : edge_weights.subspan(first_edge, static_cast<std::size_t>(rows.block.num_edges()));
    Tensor out_rows = out.view_rows(done, count);
    backend.aggregate(rows.block, weights, input.pieces->gather(needed), place, out_rows);
    done += count;
  }
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
  const std::int64_t chunk = project_first ? kChunkRows : chunk_rows(input);
  for (std::int64_t first = 0; first < num_nodes; first += chunk) {
    const std::int64_t count = std::min(chunk, num_nodes - first);
    const auto first_node = static_cast<NodeId>(first);
    Tensor out_rows = out.view_rows(first, count);
    if (project_first) {
      backend.aggregate_rows(graph, edge_weights, first_node, projected, out_rows);
      continue;
    }
    Tensor aggregated = backend.empty(count, input.dim(), weight.scalar());
    if (input.hidden) {
      backend.aggregate_rows(graph, edge_weights, first_node, *input.hidden, aggregated);
    } else if (input.pieces != nullptr) {
      aggregate_pieces(backend, graph, edge_weights, input, first_node, aggregated);
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
