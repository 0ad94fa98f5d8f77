// The owner of a graph's adjacency. Validity is checked once, at construction, and trusted afterwards.
#pragma once

#include <vector>

#include "graph/types.h"
#include "graph/views.h"

namespace kith {

/// Owns offsets and neighbours of a graph whose rows are in-neighbour lists.
class CsrGraph {
 public:
  CsrGraph() : offsets_{0} {}

  /// Takes over both arrays. Throws InvalidArgument, naming `who`, unless offsets start at 0, never
  /// fall and end at neighbors.size(), and each row's ids are in range and ascending (a repeated id
  /// is a parallel edge, which is allowed). The check is parallel and costs one pass.
  CsrGraph(std::vector<EdgeOffset> offsets, std::vector<NodeId> neighbors, const char* who);

  CsrGraph(CsrGraph&&) = default;
  CsrGraph& operator=(CsrGraph&&) = default;
  CsrGraph(const CsrGraph&) = delete;
  CsrGraph& operator=(const CsrGraph&) = delete;

  CsrView view() const { return {offsets_, neighbors_}; }
  NodeId num_nodes() const { return static_cast<NodeId>(offsets_.size()) - 1; }
  EdgeOffset num_edges() const { return static_cast<EdgeOffset>(neighbors_.size()); }

 private:
  std::vector<EdgeOffset> offsets_;
  std::vector<NodeId> neighbors_;
};

/// Throws InvalidArgument as the constructor of CsrGraph does.
void check_csr(CsrView graph, const char* who);

}  // namespace kith
