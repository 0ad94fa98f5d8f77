#include "train/normalization.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "graph/errors.h"

namespace kith {
namespace {

float gcn_weight(CsrView graph, NodeId source, NodeId target) {
  const double source_degree = graph.degree(source) + 1.0;
  const double target_degree = graph.degree(target) + 1.0;
  return static_cast<float>(1 / std::sqrt(source_degree * target_degree));
}

/// The batch with a self-loop first in every row. weight_of(u, v): of an edge in the whole graph, global ids.
template <typename WeightOf>
BatchAdjacency add_loops(const MiniBatch& batch, CsrView graph, const WeightOf& weight_of) {
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
    out.weights[next++] = weight_of(target, target);
    const auto degree = static_cast<float>(graph.degree(target));
    for (std::int32_t edge = begin; edge < begin + count; ++edge, ++next) {
      const std::int32_t source = batch.sources[edge];
      const float scale =
          batch.weights.empty() ? degree / static_cast<float>(count) : degree * batch.weights[edge];
      out.sources[next] = source;
      out.weights[next] = scale * weight_of(batch.input_nodes[source], target);
    }
  });
  return out;
}

template <typename WeightOf>
WeightedGraph add_loops(CsrView graph, const WeightOf& weight_of, const char* name) {
  const NodeId num_nodes = graph.num_nodes();
  const auto num_edges = static_cast<std::size_t>(graph.num_edges() + num_nodes);
  std::vector<EdgeOffset> offsets(static_cast<std::size_t>(num_nodes) + 1);
  std::vector<NodeId> neighbors(num_edges);
  std::vector<float> weights(num_edges);
  tbb::parallel_for(NodeId{0}, num_nodes, [&](NodeId v) {
    const EdgeOffset begin = graph.offsets[v] + v;
    offsets[v + 1] = begin + graph.degree(v) + 1;
    const auto row = graph.row(v);
    // Rows stay sorted: the loop goes before the first larger id.
    const auto split = std::upper_bound(row.begin(), row.end(), v);
    NodeId* out = std::copy(row.begin(), split, neighbors.data() + begin);
    *out++ = v;
    std::copy(split, row.end(), out);
    for (EdgeOffset edge = begin; edge < offsets[v + 1]; ++edge) weights[edge] = weight_of(neighbors[edge], v);
  });
  return {CsrGraph(std::move(offsets), std::move(neighbors), name), std::move(weights)};
}

float gin_weight(NodeId, NodeId) { return 1; }

}  // namespace

BatchAdjacency take_mean_adjacency(MiniBatch& batch) {
  return {.hop_bounds = batch.hop_bounds,
          .offsets = std::exchange(batch.offsets, {}),
          .sources = std::exchange(batch.sources, {}),
          .weights = std::exchange(batch.weights, {})};
}

BatchAdjacency make_gcn_adjacency(const MiniBatch& batch, CsrView graph) {
  return add_loops(batch, graph, [&](NodeId u, NodeId v) { return gcn_weight(graph, u, v); });
}

BatchAdjacency make_gin_adjacency(const MiniBatch& batch, CsrView graph) {
  return add_loops(batch, graph, gin_weight);
}

BatchAdjacency make_gat_adjacency(const MiniBatch& batch) {
  KITH_CHECK(batch.weights.empty(), InvalidArgument,
             "gat: attention weighs the edges itself, so unbiased draws (--unbiased) are not supported");
  const auto num_rows = static_cast<std::int32_t>(batch.offsets.size()) - 1;
  BatchAdjacency out{.hop_bounds = batch.hop_bounds,
                     .offsets = std::vector<std::int32_t>(static_cast<std::size_t>(num_rows) + 1),
                     .sources = {},
                     .weights = {}};
  const auto row_of = [&](std::int32_t row) {
    return std::span(batch.sources)
        .subspan(static_cast<std::size_t>(batch.offsets[row]),
                 static_cast<std::size_t>(batch.offsets[row + 1] - batch.offsets[row]));
  };
  tbb::parallel_for(std::int32_t{0}, num_rows, [&](std::int32_t row) {
    const auto sources = row_of(row);
    const auto num_loops = std::count(sources.begin(), sources.end(), row);
    out.offsets[row + 1] = static_cast<std::int32_t>(sources.size()) - static_cast<std::int32_t>(num_loops) + 1;
  });
  std::partial_sum(out.offsets.begin(), out.offsets.end(), out.offsets.begin());
  out.sources.resize(static_cast<std::size_t>(out.offsets.back()));
  tbb::parallel_for(std::int32_t{0}, num_rows, [&](std::int32_t row) {
    const auto sources = row_of(row);
    std::int32_t* const next = out.sources.data() + out.offsets[row];
    *next = row;
    std::remove_copy(sources.begin(), sources.end(), next + 1, row);
  });
  return out;
}

WeightedGraph make_gcn_graph(CsrView graph) {
  return add_loops(graph, [&](NodeId u, NodeId v) { return gcn_weight(graph, u, v); }, "make_gcn_graph");
}

WeightedGraph make_gin_graph(CsrView graph) { return add_loops(graph, gin_weight, "make_gin_graph"); }

WeightedGraph make_gat_graph(CsrView graph) {
  const NodeId num_nodes = graph.num_nodes();
  std::vector<EdgeOffset> offsets(static_cast<std::size_t>(num_nodes) + 1);
  tbb::parallel_for(NodeId{0}, num_nodes, [&](NodeId v) {
    const auto num_loops = static_cast<EdgeOffset>(std::ranges::equal_range(graph.row(v), v).size());
    offsets[v + 1] = graph.degree(v) - num_loops + 1;
  });
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  std::vector<NodeId> neighbors(static_cast<std::size_t>(offsets.back()));
  tbb::parallel_for(NodeId{0}, num_nodes, [&](NodeId v) {
    const auto row = graph.row(v);
    const auto loops = std::ranges::equal_range(row, v);
    NodeId* out = std::copy(row.begin(), loops.begin(), neighbors.data() + offsets[v]);
    *out++ = v;
    std::copy(loops.end(), row.end(), out);
  });
  return {CsrGraph(std::move(offsets), std::move(neighbors), "make_gat_graph"), {}};
}

}  // namespace kith
