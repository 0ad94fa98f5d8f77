#include "datasets/memory_plan.h"

#include <algorithm>

#include "graph/errors.h"

namespace kith {
namespace {

// Offsets before and after renumbering, original ids before and after, both permutations, labels twice, what
// label propagation keeps (28), and the community of each node at three levels.
constexpr std::int64_t kBytesPerNode = 80;

// Below this a sort would do little but seek.
constexpr std::int64_t kLeastBuffers = std::int64_t{64} << 10;

std::int64_t mebibytes(std::int64_t bytes) { return (bytes + (1 << 20) - 1) >> 20; }

}  // namespace

std::int64_t node_bytes(const GraphSize& size) { return kBytesPerNode * size.num_nodes + 2 * size.label_bytes; }

std::int64_t bytes_in_memory(const GraphSize& size) {
  const std::int64_t adjacency = 4 * size.num_entries;
  const std::int64_t ids = size.has_edge_ids ? 8 * size.num_entries : 0;
  // The renumbered copy, or the copy with both directions that communities are found on.
  const std::int64_t second = std::max(adjacency + ids, size.is_directed ? 2 * adjacency : 0);
  return node_bytes(size) + adjacency + ids + second;
}

std::optional<std::size_t> plan_buffers(const GraphSize& size, std::int64_t wanted_bytes,
                                        std::optional<std::int64_t> available_bytes) {
  if (wanted_bytes == 0 && !available_bytes) return std::nullopt;
  const std::int64_t limit = wanted_bytes > 0 ? wanted_bytes : *available_bytes;
  if (bytes_in_memory(size) <= limit) return std::nullopt;
  const std::int64_t room = limit - node_bytes(size);
  const std::int64_t least = node_bytes(size) + kLeastBuffers;
  if (wanted_bytes > 0) {
    KITH_CHECK(room >= kLeastBuffers, InvalidArgument, "--memory: ", size.num_nodes, " nodes take at least ",
               least, " bytes (", mebibytes(least), " MiB), got ", wanted_bytes);
    return static_cast<std::size_t>(room);
  }
  KITH_CHECK(room >= kLeastBuffers, EnvironmentError, "prepare needs at least ", mebibytes(least),
             " MiB of memory for ", size.num_nodes, " nodes, ", limit >> 20, " MiB are available");
  // The other half is for the page cache, which all these files go through.
  return static_cast<std::size_t>(std::max(room / 2, kLeastBuffers));
}

}  // namespace kith
