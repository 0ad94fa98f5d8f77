// Rows, draws and sources of one hop. Rows that draw are a thread each, as a draw is a chain of dependent
// random numbers; everything else goes by edge, so that hubs cost no more than their edges.
#include "kernels/cuda/search.cuh"
#include "kernels/cuda/threads.cuh"
#include "sampler/cuda/hop.h"
#include "sampler/cuda/prefix_sum.h"

namespace kith::cuda {
namespace {

__device__ void add_over_warp(unsigned long long value, unsigned long long* total) {
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2) {
    value += __shfl_down_sync(kFullWarp, value, distance);
  }
  if (threadIdx.x % kWarpSize == 0 && value > 0) atomicAdd(total, value);
}

__device__ HopRow find_row(const GraphTables& graph, NodeId node) {
  const EdgeOffset begin = graph.offsets[node];
  const IntraSlice intra = graph.intra[node];
  return {.begin = begin,
          .degree = static_cast<std::int32_t>(graph.offsets[node + 1] - begin),
          .intra_begin = intra.begin,
          .num_intra = intra.count};
}

/// Thread i: row i of the frontier, whose count goes to its place among the offsets, to be added up.
__global__ void count_kernel(Hop hop, std::int32_t most) {
  const std::int64_t i = thread_index();
  std::int32_t count = 0;
  if (i < hop.sizes->num_new) {
    const HopRow row = find_row(hop.graph, hop.nodes[hop.first + i]);
    hop.rows[i] = row;
    count = num_drawn(hop.rule, row.row());
  }
  if (i < most) hop.offsets[hop.first + 1 + i] = count;
  add_over_warp(static_cast<unsigned long long>(count), &hop.sizes->num_edges);
}

/// Thread i: all draws of row i, or for LABOR how many fall inside the community. slots: 4 an edge of the hop,
/// or null where no row draws that many.
__global__ void draw_kernel(Hop hop, std::int32_t* slots) {
  const std::int64_t i = thread_index();
  if (i >= hop.num_rows()) return;
  const std::int32_t begin = hop.offsets[hop.first + i];
  const std::int32_t count = hop.offsets[hop.first + i + 1] - begin;
  if (count == 0) return;
  const DrawRow row = hop.rows[i].row();
  Rng rng = hop.streams.own(static_cast<std::uint32_t>(hop.nodes[hop.first + i]));
  const bool has_both = draws_both_classes(hop.rule, row);
  std::int32_t num_inside = row.num_intra > 0 ? count : 0;
  if (has_both) num_inside = draw_num_inside(hop.rule, row, count, rng);
  hop.rows[i].num_inside = num_inside;
  if (hop.rule.is_shared) return;
  const auto own_slots = [&](std::size_t) {
    return slots + 4 * static_cast<std::int64_t>(begin - hop.edge_begin);
  };
  std::int32_t* const out = hop.sources + begin;
  if (has_both) {
    draw_both_classes(hop.rule, row, num_inside, count, rng, own_slots, out);
  } else {
    draw_class(hop.rule, only_class(hop.rule, row, count), count, rng, own_slots, out);
  }
}

/// Thread e: the source of edge e of the hop. Whether it lies inside the community.
__device__ bool read_source(const Hop& hop, std::int32_t e) {
  const std::int32_t edge = hop.edge_begin + e;
  const std::int32_t i = row_of_edge(hop.offsets + hop.first, hop.num_rows(), edge);
  const HopRow found = hop.rows[i];
  const DrawRow row = found.row();
  const std::int32_t begin = hop.offsets[hop.first + i];
  const std::int32_t count = hop.offsets[hop.first + i + 1] - begin;
  const bool takes_all = hop.rule.fanout < 0;
  const std::int32_t position = takes_all ? only_class(hop.rule, row, count)[edge - begin] : hop.sources[edge];
  const bool is_inside = row.is_inside(position);
  const NodeId node = hop.graph.neighbors[row.begin + position];
  hop.sources[edge] = node;
  if (hop.edges != nullptr) hop.edges[edge] = row.begin + position;
  if (hop.weights != nullptr) {
    const RowWeights of = weigh(hop.rule, row, count, takes_all ? row.num_intra : found.num_inside);
    hop.weights[edge] = static_cast<float>(is_inside ? of.inside : of.outside);
  }
  atomicMin(&hop.marks[node], static_cast<Mark>(hop.known) + static_cast<Mark>(e));
  return is_inside;
}

__global__ void read_kernel(Hop hop) {
  const std::int64_t e = thread_index();
  const bool is_inside = e < hop.num_edges && read_source(hop, static_cast<std::int32_t>(e));
  const unsigned inside = __ballot_sync(kFullWarp, is_inside);
  if (threadIdx.x % kWarpSize == 0 && inside != 0) {
    atomicAdd(&hop.sizes->num_intra_edges, static_cast<unsigned long long>(__popc(inside)));
  }
}

}  // namespace

void count_edges(const Context& context, const Hop& hop, std::int32_t most) {
  launch(count_kernel, shape_for(context, most), hop, most);
  // The sum goes on from the hop before, whose end is the first of these. It may wrap around: the total in
  // `sizes` tells.
  add_up(context, reinterpret_cast<std::uint32_t*>(hop.offsets + hop.first), std::int64_t{most} + 1);
}

void draw_positions(const Context& context, const Hop& hop) {
  if (hop.rule.fanout < 0) return;
  Tensor::Buffer slots;
  const bool needs_slots = hop.rule.fanout > kMaxScan && !hop.rule.with_replacement && !hop.rule.is_shared;
  if (needs_slots) slots = context.memory.acquire_array<std::int32_t>(4 * std::int64_t{hop.num_edges});
  launch(draw_kernel, shape_for(context, hop.num_rows()), hop, array_of<std::int32_t>(slots));
  if (hop.rule.is_shared) choose_smallest(context, hop);
}

void read_sources(const Context& context, const Hop& hop) {
  launch(read_kernel, shape_for(context, hop.num_edges), hop);
}

}  // namespace kith::cuda
