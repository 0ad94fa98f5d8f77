// The only file that knows METIS. METIS crashes without a word on input it does not expect, so what reaches it
// is checked or repaired here first.
#include <metis.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <numeric>
#include <string_view>

#include "graph/errors.h"
#include "partition/partition.h"
#include "partition/quotient.h"

namespace kith {
namespace {

constexpr double kMostABisection = 1.6;  ///< largest imbalance factor of one bisection
constexpr std::int64_t kTinyPart = 8;    ///< mean nodes a part below which METIS needs care
constexpr std::int64_t kIndexMax = std::numeric_limits<idx_t>::max();

/// What METIS is shown: the nodes that have neighbours, numbered without gaps. Borrows where it can.
struct MetisInput {
  std::vector<NodeId> node_of;  ///< original node of each row; empty = all nodes, in place
  std::vector<idx_t> offsets;
  std::vector<idx_t> neighbors_copy, edge_weights_copy, node_weights_copy;
  std::span<const idx_t> neighbors, edge_weights, node_weights;

  idx_t num_nodes() const { return static_cast<idx_t>(offsets.size()) - 1; }
};

/// `values` as METIS's integer type: in place where the widths agree (Debian's METIS), else as a copy in
/// `storage`.
std::span<const idx_t> as_indices(std::span<const std::int32_t> values, std::vector<idx_t>& storage) {
  if constexpr (sizeof(idx_t) == sizeof(std::int32_t)) {
    return {reinterpret_cast<const idx_t*>(values.data()), values.size()};
  }
  storage.assign(values.begin(), values.end());
  return storage;
}

MetisInput whole_graph(CsrView graph, std::span<const std::int32_t> edge_weights,
                       std::span<const std::int32_t> node_weights) {
  MetisInput input;
  input.offsets.assign(graph.offsets.begin(), graph.offsets.end());
  input.neighbors = as_indices(graph.neighbors, input.neighbors_copy);
  input.edge_weights = as_indices(edge_weights, input.edge_weights_copy);
  input.node_weights = as_indices(node_weights, input.node_weights_copy);
  return input;
}

/// Leaves isolated nodes out. Edges keep their order, so edge weights can be borrowed.
MetisInput connected_nodes(CsrView graph, std::span<const std::int32_t> edge_weights,
                           std::span<const std::int32_t> node_weights) {
  MetisInput input;
  std::vector<idx_t> row_of(static_cast<std::size_t>(graph.num_nodes()));
  input.offsets.push_back(0);
  for (NodeId v = 0; v < graph.num_nodes(); ++v) {
    if (graph.degree(v) == 0) continue;
    row_of[v] = static_cast<idx_t>(input.node_of.size());
    input.node_of.push_back(v);
    input.offsets.push_back(static_cast<idx_t>(graph.offsets[v + 1]));
    if (!node_weights.empty()) input.node_weights_copy.push_back(node_weights[v]);
  }
  input.neighbors_copy.resize(graph.neighbors.size());
  std::ranges::transform(graph.neighbors, input.neighbors_copy.begin(), [&](NodeId u) { return row_of[u]; });
  input.neighbors = input.neighbors_copy;
  input.node_weights = input.node_weights_copy;
  input.edge_weights = as_indices(edge_weights, input.edge_weights_copy);
  return input;
}

void check_input(CsrView graph, std::span<const std::int32_t> edge_weights,
                 std::span<const std::int32_t> node_weights, const MetisOptions& options) {
  KITH_CHECK(options.num_parts >= 1, InvalidArgument, "metis_partition: num_parts must be >= 1, got ",
             options.num_parts);
  KITH_CHECK(options.imbalance >= 0.001 && options.imbalance <= 1e6, InvalidArgument,
             "metis_partition: imbalance must lie in [0.001, 1000000], got ", options.imbalance);
  KITH_CHECK(graph.num_edges() <= kIndexMax, InvalidArgument, "metis_partition: this METIS holds at most ",
             kIndexMax, " adjacency entries, the symmetric graph has ", graph.num_edges(), "; use method lpa");
  const auto check_weights = [](std::span<const std::int32_t> weights, std::int64_t expected,
                                const char* name) {
    if (weights.empty()) return;
    KITH_CHECK(static_cast<std::int64_t>(weights.size()) == expected, InvalidArgument,
               "metis_partition: ", name, " must hold ", expected, " values, got ", weights.size());
    KITH_CHECK(std::ranges::min(weights) > 0, InvalidArgument, "metis_partition: ", name, " must be > 0, got ",
               std::ranges::min(weights));
    const std::int64_t sum = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
    KITH_CHECK(sum <= kIndexMax, InvalidArgument, "metis_partition: the sum of ", name,
               " must be <= ", kIndexMax, ", got ", sum);
  };
  check_weights(edge_weights, graph.num_edges(), "edge_weights");
  check_weights(node_weights, graph.num_nodes(), "node_weights");
}

/// Parts of the nodes METIS is shown. num_parts in [2, num_nodes).
std::vector<idx_t> call_metis(const MetisInput& input, idx_t num_parts, const MetisOptions& options) {
  idx_t settings[METIS_NOPTIONS];
  KITH_CHECK(METIS_SetDefaultOptions(settings) == METIS_OK, EnvironmentError, "METIS_SetDefaultOptions failed");
  settings[METIS_OPTION_OBJTYPE] = METIS_OBJTYPE_CUT;
  settings[METIS_OPTION_CONTIG] = 0;
  settings[METIS_OPTION_NUMBERING] = 0;
  // The C library treats seeds 0 and 1 alike, hence + 1.
  settings[METIS_OPTION_SEED] = static_cast<idx_t>(options.seed % (std::uint64_t{1} << 30)) + 1;
  // METIS starts by bisecting, each time with the log(k)-th root of the factor; near 2 that leaves halves
  // empty.
  const double most = std::pow(kMostABisection, std::log(static_cast<double>(num_parts))) - 1.0;
  const bool has_tiny_parts = input.num_nodes() < kTinyPart * static_cast<std::int64_t>(num_parts);
  const double imbalance = has_tiny_parts ? 0.001 : std::min(options.imbalance, most);
  settings[METIS_OPTION_UFACTOR] = std::max<idx_t>(1, static_cast<idx_t>(std::lround(1000.0 * imbalance)));

  // METIS takes pointers to non-const but does not write through them.
  const auto pointer = [](std::span<const idx_t> values) {
    return values.empty() ? nullptr : const_cast<idx_t*>(values.data());
  };
  idx_t num_nodes = input.num_nodes(), num_constraints = 1, cut = 0;
  std::vector<idx_t> part(static_cast<std::size_t>(num_nodes), 0);
  // METIS draws from the C library's one random state: two calls at once would not be reproducible.
  static std::mutex one_call_at_a_time;
  const std::scoped_lock lock(one_call_at_a_time);
  const int status =
      METIS_PartGraphKway(&num_nodes, &num_constraints, pointer(input.offsets), pointer(input.neighbors),
                          pointer(input.node_weights), nullptr, pointer(input.edge_weights), &num_parts,
                          nullptr, nullptr, settings, &cut, part.data());
  KITH_CHECK(status != METIS_ERROR_MEMORY, EnvironmentError, "METIS ran out of memory; use method lpa");
  KITH_CHECK(status == METIS_OK, InvalidArgument, "METIS refused the graph, status ", status);
  return part;
}

std::int64_t weight_of(std::span<const std::int32_t> node_weights, NodeId v) {
  return node_weights.empty() ? 1 : node_weights[v];
}

}  // namespace

PartitionMethod parse_partition_method(std::string_view name) {
  if (name == "metis") return PartitionMethod::metis;
  if (name == "lpa") return PartitionMethod::lpa;
  throw InvalidArgument(concat("partition method must be metis or lpa, got ", name));
}

std::vector<std::int32_t> metis_partition(CsrView graph, std::span<const std::int32_t> edge_weights,
                                          std::span<const std::int32_t> node_weights,
                                          const MetisOptions& options) {
  check_input(graph, edge_weights, node_weights, options);
  std::int64_t total = 0, connected = 0;
  NodeId num_isolated = 0;
  for (NodeId v = 0; v < graph.num_nodes(); ++v) {
    total += weight_of(node_weights, v);
    if (graph.degree(v) == 0) {
      ++num_isolated;
    } else {
      connected += weight_of(node_weights, v);
    }
  }
  std::vector<std::int32_t> part(static_cast<std::size_t>(graph.num_nodes()), 0);
  if (part.empty()) return part;

  // Isolated nodes fill parts of their own, of the mean weight, numbered after all others.
  const std::int64_t mean = std::max<std::int64_t>(1, total / options.num_parts);
  std::int64_t filled = 0;
  for (NodeId v = 0; v < graph.num_nodes(); ++v) {
    if (graph.degree(v) > 0) continue;
    part[v] = options.num_parts + static_cast<std::int32_t>(filled / mean);
    filled += weight_of(node_weights, v);
  }
  const NodeId num_connected = graph.num_nodes() - num_isolated;
  const double share = static_cast<double>(connected) / static_cast<double>(total);
  const auto num_parts = static_cast<idx_t>(std::max(1.0, std::round(share * options.num_parts)));
  if (num_parts >= num_connected) {
    // As many parts as nodes: METIS has nothing to decide, and is known to fail here.
    std::int32_t next = 0;
    for (NodeId v = 0; v < graph.num_nodes(); ++v) {
      if (graph.degree(v) > 0) part[v] = next++;
    }
  } else if (num_parts >= 2) {
    const MetisInput input = num_isolated == 0 ? whole_graph(graph, edge_weights, node_weights)
                                               : connected_nodes(graph, edge_weights, node_weights);
    const std::vector<idx_t> found = call_metis(input, num_parts, options);
    for (std::size_t row = 0; row < found.size(); ++row) {
      part[input.node_of.empty() ? row : static_cast<std::size_t>(input.node_of[row])] =
          static_cast<std::int32_t>(found[row]);
    }
  }
  compact_numbers(part);  // METIS may leave parts empty
  return part;
}

int metis_index_bits() { return IDXTYPEWIDTH; }

std::int64_t estimate_metis_bytes(NodeId num_nodes, EdgeOffset num_edges, std::int32_t num_parts) {
  constexpr std::int64_t kBytesPerNode = 128, kBytesPerEntry = 36, kBytesPerPart = 1024;
  return kBytesPerNode * num_nodes + kBytesPerEntry * num_edges + kBytesPerPart * num_parts;
}

}  // namespace kith
