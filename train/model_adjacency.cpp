#include "train/model_adjacency.h"

#include <cassert>

namespace kith {

BatchAdjacency make_adjacency(ModelKind kind, MiniBatch& batch, CsrView graph) {
  switch (kind) {
    case ModelKind::sage:
      break;
    case ModelKind::gcn:
      return make_gcn_adjacency(batch, graph);
    case ModelKind::gat:
      return make_gat_adjacency(batch);
    case ModelKind::gin:
      return make_gin_adjacency(batch, graph);
  }
  return take_mean_adjacency(batch);
}

WeightedGraph make_whole_graph(ModelKind kind, CsrView graph) {
  assert(kind != ModelKind::sage);
  if (kind == ModelKind::gat) return make_gat_graph(graph);
  return kind == ModelKind::gcn ? make_gcn_graph(graph) : make_gin_graph(graph);
}

}  // namespace kith
