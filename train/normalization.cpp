#include "train/normalization.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace kith {
namespace {

float gcn_weight(CsrView graph, NodeId source, NodeId target) {
  const double source_degree = graph.degree(source) + 1.0;
  const double target_degree = graph.degree(target) + 1.0;
  return static_cast<float>(1 / std::sqrt(source_degree * target_degree));
}

}  // namespace

BatchAdjacency take_mean_adjacency(MiniBatch& batch) {
  return {.hop_bounds = batch.hop_bounds,
          .offsets = std::exchange(batch.offsets, {}),
          .sources = std::exchange(batch.sources, {}),
          .weights = std::exchange(batch.weights, {})};
}

BatchAdjacency make_gcn_adjacency(const MiniBatch& batch, CsrView graph) {
  const auto num_rows = static_cast<std::int32_t>(batch.offsets.size()) - 1;
  const std::size_t num_edges = batch.sources.size() + static_cast<std::size_t>(num_rows);
  BatchAdjacency out{.hop_bounds = batch.hop_bounds,
                     .offsets = std::vector<std::int32_t>(static_cast<std::size_t>(num_rows) + 1),
                     .sources = std::vector<std::int32_t>(num_edges),
                     .weights = std::vector<float>(num_edges)};
  tbb::parallel_for(std::int32_t{0}, num_rows, [&](std::int32_t row) {
    const NodeId target = batch.input_nodes[row];
    const std::int32_t begin = batch.offsets[row];
    const std::int32_t count = batch.offsets[row + 1] - begin;
    std::int32_t next = begin + row;  // each earlier row has got one loop
    out.offsets[row + 1] = next + count + 1;
    out.sources[next] = row;
    out.weights[next++] = gcn_weight(graph, target, target);
    const auto degree = static_cast<float>(graph.degree(target));
    for (std::int32_t edge = begin; edge < begin + count; ++edge, ++next) {
      const std::int32_t source = batch.sources[edge];
      const float scale =
          batch.weights.empty() ? degree / static_cast<float>(count) : degree * batch.weights[edge];
      out.sources[next] = source;
      out.weights[next] = scale * gcn_weight(graph, batch.input_nodes[source], target);
    }
  });
  return out;
}

WeightedGraph make_gcn_graph(CsrView graph) {
  const NodeId num_nodes = graph.num_nodes();
  const auto num_edges = static_cast<std::size_t>(graph.num_edges() + num_nodes);
  std::vector<EdgeOffset> offsets(static_cast<std::size_t>(num_nodes) + 1);
  std::vector<NodeId> neighbors(num_edges);
  std::vector<float> weights(num_edges);
  tbb::parallel_for(NodeId{0}, num_nodes, [&](NodeId v) {
    const EdgeOffset begin = graph.offsets[v] + v;
    const auto row = graph.row(v);
    offsets[v + 1] = begin + graph.degree(v) + 1;
    // Rows stay sorted: the loop goes before the first larger id.
    const auto split = std::upper_bound(row.begin(), row.end(), v);
    NodeId* out = neighbors.data() + begin;
    out = std::copy(row.begin(), split, out);
    *out++ = v;
    std::copy(split, row.end(), out);
    for (EdgeOffset edge = begin; edge < offsets[v + 1]; ++edge)
      weights[edge] = gcn_weight(graph, neighbors[edge], v);
  });
  return {CsrGraph(std::move(offsets), std::move(neighbors), "make_gcn_graph"), std::move(weights)};
}

}  // namespace kith
