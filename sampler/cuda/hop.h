// One hop of a batch on the device: what its steps read and write. Steps are launched in the order in which
// they are declared here; the host only has to know sizes.
#pragma once

#include <cstdint>

#include "graph/types.h"
#include "kernels/cuda/context.h"
#include "sampler/draw.h"
#include "sampler/hop_rules.h"

namespace kith::cuda {

/// The graph, in the device's memory or in pinned memory that it can read.
struct GraphTables {
  const EdgeOffset* offsets = nullptr;  ///< [num_nodes + 1]
  const NodeId* neighbors = nullptr;    ///< [num_edges]
  const IntraSlice* intra = nullptr;    ///< [num_nodes]
};

/// A row of the frontier: DrawRow, and how many of its draws fall inside the community.
struct HopRow {
  EdgeOffset begin = 0;
  std::int32_t degree = 0;
  std::int32_t intra_begin = 0;
  std::int32_t num_intra = 0;
  std::int32_t num_inside = 0;  ///< told only where classes are drawn apart, or weighed

  constexpr DrawRow row() const {
    return {.begin = begin, .degree = degree, .intra_begin = intra_begin, .num_intra = num_intra};
  }
};

/// What the host has to know before it can go on.
struct HopSizes {
  unsigned long long num_edges = 0;        ///< of the batch, the hop that was counted last included
  unsigned long long num_intra_edges = 0;  ///< of the batch, as far as it is drawn
  std::int32_t num_new = 0;                ///< nodes that the last hop reached first; before all hops the roots
  std::int32_t unused = 0;
};

/// A node's place in the batch, as far as it is known: its local id; while a hop is relabelled, for nodes that
/// are new, `known` + the first of the hop's edges that leads there.
using Mark = std::uint32_t;
constexpr Mark kUnmarked = ~Mark{0};  ///< above all places: both terms are below 2^31

/// All pointers are to device memory. Edges [edge_begin, edge_begin + num_edges) belong to this hop.
struct Hop {
  DrawRule rule = {};
  HopStreams streams = {};
  GraphTables graph = {};
  std::int32_t first = 0;  ///< the frontier is the nodes with local ids [first, known)
  std::int32_t known = 0;
  std::int32_t edge_begin = 0;
  std::int32_t num_edges = 0;

  NodeId* nodes = nullptr;          ///< [known + new ones] global ids
  std::int32_t* offsets = nullptr;  ///< [known + 1]
  HopRow* rows = nullptr;           ///< [known - first]
  std::int32_t* sources = nullptr;  ///< [edges so far]: positions in the row, then global ids, then local ones
  float* weights = nullptr;         ///< [edges so far], or null
  EdgeOffset* edges = nullptr;      ///< [edges so far], or null
  Mark* marks = nullptr;            ///< [num_nodes of the graph]
  HopSizes* sizes = nullptr;

  constexpr std::int32_t num_rows() const { return known - first; }
};

/// Gives the first local ids to the `num_roots` roots, which `hop.nodes` holds; sets the sizes.
void mark_roots(const Context& context, const Hop& hop, std::int32_t num_roots);

/// Looks up the rows of the nodes [hop.first, hop.first + sizes.num_new), fills in their offsets and adds to
/// sizes.num_edges. most: bound of num_new; hop.rows: [most]; hop.offsets: [hop.first + most + 1]. Does not
/// read hop.known. If the sum of edges passes 2^31 - 1, offsets mean nothing.
void count_edges(const Context& context, const Hop& hop, std::int32_t most);

/// Draws the positions of the sources. Where the rule takes all neighbours there is nothing to draw.
void draw_positions(const Context& context, const Hop& hop);
/// The part of it that LABOR has in place of the nodes' own random numbers.
void choose_smallest(const Context& context, const Hop& hop);

/// Turns positions into global ids; fills in edges and weights, counts edges inside communities, and marks the
/// nodes.
void read_sources(const Context& context, const Hop& hop);

/// Appends the nodes that are new to hop.nodes in order of first appearance, sets sizes.num_new, and turns
/// sources into local ids.
void relabel(const Context& context, const Hop& hop);

/// Takes the marks from the batch's nodes. nodes: [num_nodes].
void unmark(const Context& context, const NodeId* nodes, std::int32_t num_nodes, Mark* marks);

}  // namespace kith::cuda
