#include "partition/quotient.h"

#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <unordered_map>

#include "graph/append_file.h"
#include "graph/external_sorter.h"
#include "partition/label_counter.h"

namespace kith {
namespace {

using Entry = LabelCounter::Entry;

/// The weighted neighbour communities of one community, by number.
std::vector<Entry> neighbor_communities(CsrView graph, std::span<const std::int64_t> edge_weights,
                                        std::span<const NodeId> members,
                                        std::span<const std::int32_t> community_of, LabelCounter& counter) {
  std::size_t num_edges = 0;
  for (const NodeId v : members) num_edges += static_cast<std::size_t>(graph.degree(v));
  counter.reset(std::min(num_edges, community_of.size()));
  for (const NodeId v : members) {
    for (EdgeOffset e = graph.offsets[v]; e < graph.offsets[v + 1]; ++e) {
      const std::int32_t other = community_of[graph.neighbors[e]];
      if (other != community_of[v]) counter.add(other, edge_weights.empty() ? 1 : edge_weights[e]);
    }
  }
  std::ranges::sort(counter.entries(), {}, &Entry::label);
  return {counter.entries().begin(), counter.entries().end()};
}

/// Edges from one community to another.
struct Pair {
  std::uint64_t key;  ///< (from << 32) | to
  std::int64_t count;

  bool operator<(const Pair& other) const { return key != other.key ? key < other.key : count < other.count; }
};

constexpr auto kAddUp = [](Pair& kept, const Pair& next) {
  if (kept.key != next.key) return false;
  kept.count += next.count;
  return true;
};

}  // namespace

Members group_by_community(std::span<const std::int32_t> community_of, std::int32_t num_communities) {
  Members members;
  members.offsets.assign(static_cast<std::size_t>(num_communities) + 1, 0);
  for (const std::int32_t c : community_of) ++members.offsets[c + 1];
  for (std::int32_t c = 0; c < num_communities; ++c) members.offsets[c + 1] += members.offsets[c];
  std::vector<EdgeOffset> cursor(members.offsets.begin(), members.offsets.end() - 1);
  members.nodes.resize(community_of.size());
  for (std::size_t v = 0; v < community_of.size(); ++v) {
    members.nodes[cursor[community_of[v]]++] = static_cast<NodeId>(v);
  }
  return members;
}

std::int32_t compact_numbers(std::span<std::int32_t> community_of) {
  std::int32_t next = 0;
  const std::size_t span =
      community_of.empty() ? 0 : static_cast<std::size_t>(std::ranges::max(community_of)) + 1;
  if (span <= 4 * community_of.size()) {
    std::vector<std::int32_t> number_of(span, -1);
    for (std::int32_t& c : community_of) {
      if (number_of[c] < 0) number_of[c] = next++;
      c = number_of[c];
    }
    return next;
  }
  std::unordered_map<std::int32_t, std::int32_t> number_of;  // numbers from a file may be any
  for (std::int32_t& c : community_of) {
    const auto [place, is_new] = number_of.try_emplace(c, next);
    if (is_new) ++next;
    c = place->second;
  }
  return next;
}

Quotient contract(CsrView graph, std::span<const std::int64_t> edge_weights,
                  std::span<const std::int32_t> node_weights, std::span<const std::int32_t> community_of,
                  std::int32_t num_communities) {
  const Members members = group_by_community(community_of, num_communities);
  Quotient quotient;
  quotient.offsets.assign(static_cast<std::size_t>(num_communities) + 1, 0);
  quotient.node_weights.assign(static_cast<std::size_t>(num_communities), 0);
  std::vector<std::vector<Entry>> rows(static_cast<std::size_t>(num_communities));
  tbb::enumerable_thread_specific<LabelCounter> counters;
  tbb::parallel_for(0, num_communities, [&](std::int32_t c) {
    rows[c] = neighbor_communities(graph, edge_weights, members.of(c), community_of, counters.local());
    std::int32_t weight = 0;
    for (const NodeId v : members.of(c)) weight += node_weights.empty() ? 1 : node_weights[v];
    quotient.node_weights[c] = weight;
  });
  for (std::int32_t c = 0; c < num_communities; ++c) {
    quotient.offsets[c + 1] = quotient.offsets[c] + static_cast<EdgeOffset>(rows[c].size());
  }
  quotient.neighbors.resize(static_cast<std::size_t>(quotient.offsets.back()));
  quotient.edge_weights.resize(quotient.neighbors.size());
  tbb::parallel_for(0, num_communities, [&](std::int32_t c) {
    EdgeOffset out = quotient.offsets[c];
    for (const Entry& entry : rows[c]) {
      quotient.neighbors[out] = entry.label;
      quotient.edge_weights[out++] = entry.weight;
    }
  });
  return quotient;
}

Quotient contract(const RowBlocks& graph, std::span<const std::int32_t> community_of,
                  std::int32_t num_communities) {
  if (graph.scratch() == nullptr) {
    Quotient quotient{.offsets = {0}, .neighbors = {}, .edge_weights = {}, .node_weights = {}};
    graph.for_each([&](const RowBlock& all) {
      quotient = contract({all.offsets, all.neighbors}, {}, {}, community_of, num_communities);
    });
    return quotient;
  }
  ExternalSorter<Pair, decltype(kAddUp)> sorter(*graph.scratch(), kAddUp);
  Quotient quotient;
  quotient.offsets.assign(static_cast<std::size_t>(num_communities) + 1, 0);
  quotient.node_weights.assign(static_cast<std::size_t>(num_communities), 0);
  for (const std::int32_t c : community_of) ++quotient.node_weights[c];
  graph.for_each([&](const RowBlock& block) {
    for (NodeId v = block.begin; v < block.end; ++v) {
      const auto from = static_cast<std::uint64_t>(community_of[v]) << 32;
      for (const NodeId u : block.row(v)) {
        if (community_of[u] != community_of[v])
          sorter.add({from | static_cast<std::uint32_t>(community_of[u]), 1});
      }
    }
  });
  // Through files, so that arrays of the right size are made after the buffers of the sort are gone.
  const Scratch& scratch = *graph.scratch();
  const std::string neighbors_path = scratch.folder + "/runs.neighbors",
                    weights_path = scratch.folder + "/runs.weights";
  AppendFile neighbors(neighbors_path, scratch.append_bytes()), weights(weights_path, scratch.append_bytes());
  sorter.finish([&](std::span<const Pair> pairs) {
    for (const Pair& pair : pairs) {
      ++quotient.offsets[(pair.key >> 32) + 1];
      const auto to = static_cast<NodeId>(pair.key & 0xFFFFFFFFU);
      neighbors.add_values(std::span(&to, 1));
      weights.add_values(std::span(&pair.count, 1));
    }
  });
  for (std::int32_t c = 0; c < num_communities; ++c) quotient.offsets[c + 1] += quotient.offsets[c];
  quotient.neighbors = read_values<NodeId>(neighbors_path, neighbors.finish());
  quotient.edge_weights = read_values<std::int64_t>(weights_path, weights.finish());
  for (const std::string& path : {neighbors_path, weights_path}) std::filesystem::remove(path);
  return quotient;
}

}  // namespace kith
