// Local ids in order of first appearance, whatever the order of threads: every edge bids for its source with
// its own place, the lowest place wins, and the winners are numbered in the order of the edges.
#include "kernels/cuda/check.h"
#include "kernels/cuda/threads.cuh"
#include "sampler/cuda/hop.h"
#include "sampler/cuda/prefix_sum.h"

namespace kith::cuda {
namespace {

__global__ void mark_roots_kernel(Hop hop, std::int32_t num_roots) {
  const std::int64_t i = thread_index();
  if (i == 0) {
    hop.offsets[0] = 0;
    *hop.sizes = {.num_new = num_roots};
  }
  if (i < num_roots) hop.marks[hop.nodes[i]] = static_cast<Mark>(i);
}

/// Thread e: 1 if edge e of the hop is the first that leads to its source, else 0.
__global__ void find_first_kernel(Hop hop, std::uint32_t* is_first) {
  const std::int64_t e = thread_index();
  if (e >= hop.num_edges) return;
  const Mark place = static_cast<Mark>(hop.known) + static_cast<Mark>(e);
  is_first[e] = hop.marks[hop.sources[hop.edge_begin + e]] == place ? 1 : 0;
}

/// Thread e: the local id of its source, if edge e is the first that leads there. num_first: of the edges up to
/// each.
__global__ void number_kernel(Hop hop, const std::uint32_t* num_first) {
  const std::int64_t e = thread_index();
  if (e >= hop.num_edges) return;
  const std::uint32_t rank = num_first[e];
  if (e == hop.num_edges - 1) hop.sizes->num_new = static_cast<std::int32_t>(rank);
  if (rank == (e == 0 ? 0 : num_first[e - 1])) return;
  const NodeId node = hop.sources[hop.edge_begin + e];
  const std::uint32_t local_id = static_cast<std::uint32_t>(hop.known) + rank - 1;
  hop.nodes[local_id] = node;
  hop.marks[node] = local_id;
}

__global__ void relabel_kernel(Hop hop) {
  const std::int64_t e = thread_index();
  if (e >= hop.num_edges) return;
  std::int32_t& source = hop.sources[hop.edge_begin + e];
  source = static_cast<std::int32_t>(hop.marks[source]);
}

__global__ void unmark_kernel(const NodeId* nodes, std::int32_t num_nodes, Mark* marks) {
  const std::int64_t i = thread_index();
  if (i < num_nodes) marks[nodes[i]] = kUnmarked;
}

}  // namespace

void mark_roots(const Context& context, const Hop& hop, std::int32_t num_roots) {
  launch(mark_roots_kernel, shape_for(context, std::int64_t{num_roots} + 1), hop, num_roots);
}

void relabel(const Context& context, const Hop& hop) {
  if (hop.num_edges == 0) {
    CUDA_CHECK(cudaMemsetAsync(&hop.sizes->num_new, 0, sizeof(hop.sizes->num_new), context.stream));
    return;
  }
  const Tensor::Buffer ranks = context.memory.acquire_array<std::uint32_t>(hop.num_edges);
  const LaunchShape shape = shape_for(context, hop.num_edges);
  launch(find_first_kernel, shape, hop, array_of<std::uint32_t>(ranks));
  add_up(context, array_of<std::uint32_t>(ranks), hop.num_edges);
  launch(number_kernel, shape, hop, array_of<std::uint32_t>(ranks));
  launch(relabel_kernel, shape, hop);
}

void unmark(const Context& context, const NodeId* nodes, std::int32_t num_nodes, Mark* marks) {
  launch(unmark_kernel, shape_for(context, num_nodes), nodes, num_nodes, marks);
}

}  // namespace kith::cuda
