// Which adjacency a model of a kind aggregates over.
#pragma once

#include "graph/views.h"
#include "sampler/batch.h"
#include "train/model.h"
#include "train/normalization.h"

namespace kith {

/// The batch's adjacency as a model of `kind` needs it. May take over the batch's arrays, so call it last.
/// graph: the whole graph. Throws InvalidArgument if the batch has weights and `kind` has no use for them.
BatchAdjacency make_adjacency(ModelKind kind, MiniBatch& batch, CsrView graph);

/// The whole graph as a model of `kind` needs it, for layer-wise evaluation; not for sage, which takes the
/// graph as it is.
WeightedGraph make_whole_graph(ModelKind kind, CsrView graph);

}  // namespace kith
