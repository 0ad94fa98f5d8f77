#include "datasets/file_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "partition/hierarchy.h"
#include "partition/simple_graph.h"
#include "tests/datasets/source_support.h"

namespace kith {
namespace {

using test::TempFolder;

// Edges with repeats, reversed repeats and self-loops, as few nodes make them.
class RandomSource final : public Source {
 public:
  RandomSource(NodeId num_nodes, int num_edges) : num_nodes_(num_nodes) {
    std::mt19937 bits(static_cast<std::uint32_t>(num_edges));
    const auto any = [&] { return static_cast<NodeId>(bits() % static_cast<std::uint32_t>(num_nodes - 3)); };
    for (int i = 0; i < num_edges; ++i) {
      const NodeId u = any();
      edges_.push_back({u, bits() % 10 == 0 ? u : any()});
    }
  }

  NodeId num_nodes() const override { return num_nodes_; }
  NodeData& node_data() override { return data_; }
  void for_each_edges(const std::function<void(std::span<const Edge>)>& visit) override {
    const std::span<const Edge> all(edges_);
    for (std::size_t i = 0; i < all.size(); i += 100)
      visit(all.subspan(i, std::min<std::size_t>(100, all.size() - i)));
  }
  void for_each_feature_row(const std::function<void(NodeId, std::span<const float>)>&) override {}
  bool is_undirected() const override { return false; }

 private:
  NodeId num_nodes_;
  std::vector<Edge> edges_;
  NodeData data_;
};

std::vector<NodeId> neighbors_of(const FileGraph& graph) {
  return read_values<NodeId>(graph.paths.neighbors, graph.neighbors);
}

std::vector<EdgeOffset> ids_of(const FileGraph& graph) {
  if (graph.paths.edge_id.empty()) return {};
  return read_values<EdgeOffset>(graph.paths.edge_id, graph.edge_id);
}

void expect_same(const FileGraph& files, CsrView graph, const std::vector<EdgeOffset>& edge_id) {
  ASSERT_TRUE(std::ranges::equal(files.offsets, graph.offsets));
  ASSERT_TRUE(std::ranges::equal(neighbors_of(files), graph.neighbors));
  ASSERT_EQ(ids_of(files), edge_id);
  EXPECT_EQ(files.neighbors, seal_of(files.paths.neighbors));
}

/// The whole way with little memory beside the whole way in memory.
void compare(const BuildOptions& options, NodeId num_nodes, int num_edges, std::size_t memory) {
  SCOPED_TRACE(concat("symmetrize ", options.symmetrize, ", drop ", options.drop_self_loops, ", ids ",
                      options.keep_edge_ids, ", ", num_nodes, " nodes, ", num_edges, " edges, ", memory,
                      " bytes"));
  const TempFolder folder;
  Scratch scratch{.folder = folder.path().string(), .memory_bytes = memory};
  const auto paths = [&](const std::string& name) {
    return GraphPaths{folder.file(name), options.keep_edge_ids ? folder.file(name + ".ids") : ""};
  };
  RandomSource source(num_nodes, num_edges);
  BuiltGraph built = build_graph(source, options);
  BuildCounts counts;
  const FileGraph files = clean_to_files(source, options, paths("clean"), scratch, counts);
  expect_same(files, built.graph.view(), built.edge_id);
  EXPECT_EQ(counts.source_edges, built.counts.source_edges);
  EXPECT_EQ(counts.self_loops, built.counts.self_loops);
  EXPECT_EQ(counts.self_loops_dropped, built.counts.self_loops_dropped);
  EXPECT_EQ(counts.duplicates_dropped, built.counts.duplicates_dropped);
  EXPECT_EQ(counts.edges_added, built.counts.edges_added);

  const FileGraph simple = simple_to_file(files, options.symmetrize, folder.file("simple"), scratch);
  expect_same(simple, SimpleGraph(built.graph.view()).view(), {});

  std::vector<NodeId> old_of_new(static_cast<std::size_t>(num_nodes));
  for (NodeId v = 0; v < num_nodes; ++v) old_of_new[v] = num_nodes - 1 - v;
  std::shuffle(old_of_new.begin(), old_of_new.end(), std::mt19937(3));
  const CsrGraph renumbered = renumber(built.graph.view(), old_of_new, built.edge_id);
  expect_same(renumber_to_files(files, old_of_new, paths("new"), scratch), renumbered.view(), built.edge_id);
}

TEST(FileGraph, IsTheGraphInMemoryToTheBit) {
  for (const bool symmetrize : {false, true}) {
    for (const bool drop : {false, true}) {
      for (const bool ids : {false, true}) {
        const BuildOptions options{.symmetrize = symmetrize, .drop_self_loops = drop, .keep_edge_ids = ids};
        compare(options, 40, 3000, 400);       // nearly all of it repeats; many levels of merging
        compare(options, 700, 5000, 20000);    // some runs, merged at once
        compare(options, 700, 5000, 1 << 22);  // no run at all
        compare(options, 5, 0, 400);
      }
    }
  }
}

TEST(FileGraph, LeavesNoFilesOfRuns) {
  const TempFolder folder;
  Scratch scratch{.folder = folder.path().string(), .memory_bytes = 1000};
  RandomSource source(100, 2000);
  BuildCounts counts;
  clean_to_files(source, {}, {folder.file("clean"), {}}, scratch, counts);
  EXPECT_GT(scratch.written_bytes, 0);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace kith
