// The symmetric simple graph behind any adjacency: what every community finder works on.
#pragma once

#include <vector>

#include "graph/types.h"
#include "graph/views.h"

namespace kith {

/// A symmetric graph without self-loops and parallel edges. Borrows the input where it already is one.
class SimpleGraph {
 public:
  /// graph: rows sorted; it must outlive this object. A copy is made only where the input has a self-loop, a
  /// parallel edge or an edge without its reverse; it holds at most twice the entries of the input. Parallel.
  explicit SimpleGraph(CsrView graph);

  SimpleGraph(SimpleGraph&&) = default;
  SimpleGraph& operator=(SimpleGraph&&) = delete;
  SimpleGraph(const SimpleGraph&) = delete;
  SimpleGraph& operator=(const SimpleGraph&) = delete;

  CsrView view() const { return view_; }
  bool is_copy() const { return !offsets_.empty(); }

 private:
  std::vector<EdgeOffset> offsets_;
  std::vector<NodeId> neighbors_;
  CsrView view_;
};

}  // namespace kith
