#include "datasets/file_graph.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <type_traits>
#include <utility>

#include "graph/external_sorter.h"
#include "graph/row_blocks.h"

namespace kith {
namespace {

/// An edge as it is sorted: row << 32 | neighbour << 1 | is_reverse. So a stored edge comes before the reverse
/// copy of the same edge, as in build_graph.
struct PlainEdge {
  std::uint64_t key;

  bool operator<(const PlainEdge& other) const { return key < other.key; }
};

/// The same with its place in the source; among equal edges the first one counts.
struct NumberedEdge {
  std::uint64_t key;
  EdgeOffset id;

  bool operator<(const NumberedEdge& other) const { return key != other.key ? key < other.key : id < other.id; }
};

constexpr std::uint64_t kReverse = 1;

template <typename EdgeRecord>
EdgeRecord make_record(NodeId row, NodeId neighbor, std::uint64_t reverse, EdgeOffset id) {
  const std::uint64_t key =
      static_cast<std::uint64_t>(row) << 32 | static_cast<std::uint64_t>(neighbor) << 1 | reverse;
  if constexpr (std::is_same_v<EdgeRecord, NumberedEdge>) {
    return {key, id};
  } else {
    return {key};
  }
}

/// Writes sorted edges as the arrays of a FileGraph.
template <typename EdgeRecord>
class GraphWriter {
 public:
  GraphWriter(NodeId num_nodes, const GraphPaths& paths, const Scratch& scratch)
      : neighbors_(paths.neighbors, scratch.append_bytes()) {
    graph_.paths = paths;
    graph_.offsets.assign(static_cast<std::size_t>(num_nodes) + 1, 0);
    if (!paths.edge_id.empty()) edge_id_.emplace(paths.edge_id, scratch.append_bytes());
  }

  void add(std::span<const EdgeRecord> edges) {
    for (const EdgeRecord& edge : edges) {
      ++graph_.offsets[(edge.key >> 32) + 1];
      const auto neighbor = static_cast<NodeId>((edge.key & 0xFFFFFFFFU) >> 1);
      neighbors_.add_values(std::span(&neighbor, 1));
      if constexpr (std::is_same_v<EdgeRecord, NumberedEdge>) edge_id_->add_values(std::span(&edge.id, 1));
    }
  }

  /// is_kept: the files are to outlast a crash of the machine.
  FileGraph finish(bool is_kept) {
    const auto end = [&](AppendFile& file) { return is_kept ? file.seal() : file.finish(); };
    std::partial_sum(graph_.offsets.begin(), graph_.offsets.end(), graph_.offsets.begin());
    graph_.neighbors = end(neighbors_);
    if (edge_id_) graph_.edge_id = end(*edge_id_);
    return std::move(graph_);
  }

 private:
  FileGraph graph_;
  AppendFile neighbors_;
  std::optional<AppendFile> edge_id_;
};

template <typename EdgeRecord>
FileGraph clean_edges(Source& source, const BuildOptions& options, const GraphPaths& paths, Scratch& scratch,
                      BuildCounts& counts) {
  // Wherever an edge is dropped, in a run or when runs are merged, it is the later of two: so the counts do not
  // depend on the runs.
  const auto drop_repeats = [&counts](const EdgeRecord& kept, const EdgeRecord& next) {
    if (kept.key >> 1 != next.key >> 1) return false;
    counts.duplicates_dropped += (next.key & kReverse) == 0;
    return true;
  };
  ExternalSorter<EdgeRecord, decltype(drop_repeats)> sorter(scratch, drop_repeats);
  source.for_each_edges([&](std::span<const Edge> edges) {
    for (const Edge edge : edges) {
      const EdgeOffset id = counts.source_edges++;
      const bool is_loop = edge.source == edge.target;
      counts.self_loops += is_loop;
      if (is_loop && options.drop_self_loops) continue;
      sorter.add(make_record<EdgeRecord>(edge.target, edge.source, 0, id));
      if (options.symmetrize && !is_loop) {
        sorter.add(make_record<EdgeRecord>(edge.source, edge.target, kReverse, id));
      }
    }
  });
  counts.self_loops_dropped = options.drop_self_loops ? counts.self_loops : 0;
  GraphWriter<EdgeRecord> writer(source.num_nodes(), paths, scratch);
  sorter.finish([&](std::span<const EdgeRecord> edges) {
    for (const EdgeRecord& edge : edges) counts.edges_added += (edge.key & kReverse) != 0;
    writer.add(edges);
  });
  return writer.finish(true);
}

/// Both directions of every edge between two nodes, sorted.
FileGraph symmetrize(const FileGraph& graph, const GraphPaths& paths, Scratch& scratch) {
  constexpr auto kDropRepeats = [](const PlainEdge& kept, const PlainEdge& next) {
    return kept.key == next.key;
  };
  ExternalSorter<PlainEdge, decltype(kDropRepeats)> sorter(scratch, kDropRepeats);
  RowBlocks(graph.paths.neighbors, graph.offsets, scratch).for_each([&](const RowBlock& block) {
    for (NodeId v = block.begin; v < block.end; ++v) {
      for (const NodeId u : block.row(v)) {
        if (u == v) continue;
        sorter.add(make_record<PlainEdge>(v, u, 0, 0));
        sorter.add(make_record<PlainEdge>(u, v, 0, 0));
      }
    }
  });
  GraphWriter<PlainEdge> writer(graph.num_nodes(), paths, scratch);
  sorter.finish([&](std::span<const PlainEdge> edges) { writer.add(edges); });
  return writer.finish(false);
}

template <typename EdgeRecord>
FileGraph renumber_edges(const FileGraph& graph, std::span<const NodeId> new_of_old, const GraphPaths& paths,
                         Scratch& scratch) {
  constexpr auto kKeepAll = [](const EdgeRecord&, const EdgeRecord&) { return false; };
  ExternalSorter<EdgeRecord, decltype(kKeepAll)> sorter(scratch, kKeepAll);
  std::optional<FileCursor> ids;
  if (!paths.edge_id.empty()) ids.emplace(graph.paths.edge_id, scratch.append_bytes());
  RowBlocks(graph.paths.neighbors, graph.offsets, scratch).for_each([&](const RowBlock& block) {
    for (NodeId v = block.begin; v < block.end; ++v) {
      for (const NodeId u : block.row(v)) {
        const EdgeOffset id = ids ? ids->next<EdgeOffset>() : 0;
        sorter.add(make_record<EdgeRecord>(new_of_old[v], new_of_old[u], 0, id));
      }
    }
  });
  GraphWriter<EdgeRecord> writer(graph.num_nodes(), paths, scratch);
  sorter.finish([&](std::span<const EdgeRecord> edges) { writer.add(edges); });
  return writer.finish(true);
}

}  // namespace

FileGraph clean_to_files(Source& source, const BuildOptions& options, const GraphPaths& paths, Scratch& scratch,
                         BuildCounts& counts) {
  return paths.edge_id.empty() ? clean_edges<PlainEdge>(source, options, paths, scratch, counts)
                               : clean_edges<NumberedEdge>(source, options, paths, scratch, counts);
}

FileGraph simple_to_file(const FileGraph& graph, bool is_symmetric, const std::string& path, Scratch& scratch) {
  const GraphPaths paths{path, {}};
  if (!is_symmetric) return symmetrize(graph, paths, scratch);
  // The rows are sorted and free of repeats: only self-loops have to go.
  GraphWriter<PlainEdge> writer(graph.num_nodes(), paths, scratch);
  RowBlocks(graph.paths.neighbors, graph.offsets, scratch).for_each([&](const RowBlock& block) {
    for (NodeId v = block.begin; v < block.end; ++v) {
      for (const NodeId u : block.row(v)) {
        const auto edge = make_record<PlainEdge>(v, u, 0, 0);
        if (u != v) writer.add(std::span(&edge, 1));
      }
    }
  });
  return writer.finish(false);
}

FileGraph renumber_to_files(const FileGraph& graph, std::span<const NodeId> old_of_new, const GraphPaths& paths,
                            Scratch& scratch) {
  std::vector<NodeId> new_of_old(old_of_new.size());
  for (std::size_t v = 0; v < old_of_new.size(); ++v) new_of_old[old_of_new[v]] = static_cast<NodeId>(v);
  return paths.edge_id.empty() ? renumber_edges<PlainEdge>(graph, new_of_old, paths, scratch)
                               : renumber_edges<NumberedEdge>(graph, new_of_old, paths, scratch);
}

}  // namespace kith
