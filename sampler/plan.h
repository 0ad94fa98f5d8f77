// The order of the roots in one epoch and where its batches begin: COMM-RAND's first knob
// (arXiv 2504.18082: shuffle the communities, shuffle the roots inside), as "super-communities".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/communities.h"
#include "graph/types.h"

namespace kith {

/// In which order the finished batches of an epoch come.
struct BatchOrder {
  enum class Kind : std::uint8_t { shuffled, window, sequential };
  Kind kind = Kind::shuffled;
  std::int32_t window = 0;  ///< batches shuffled together; > 0 for Kind::window only

  /// "shuffled", "sequential" or "window:K". Throws InvalidArgument for anything else.
  static BatchOrder parse(std::string_view text);
  std::string name() const;
};

/// How roots are ordered. Defaults are COMM-RAND's.
struct PlanOptions {
  std::int32_t batch_size = 1024;  ///< roots a batch, > 0
  double mix = 0.125;              ///< share of the communities in one super-community, 0..1; 1 = uniform
  std::int32_t group = 0;          ///< communities in one super-community; 0 = as `mix` says
  BatchOrder batch_order = {};     ///< order of the full batches, a short one stays last; ignored at mix = 1
  bool is_shuffled = true;         ///< false: the roots as stored, in every epoch the same
  bool drop_last = false;          ///< leave out a last batch that is not full
  std::uint64_t seed = 0;
  std::int32_t epoch = 0;  ///< >= 0
};

/// Owns the root order of one epoch. Batch i is plan[i].
class Plan {
 public:
  /// roots: all batches one after another; bounds: [num_batches + 1] into roots.
  /// positions: [roots.size()] where each root stood in the list that make_plan was given.
  Plan(std::vector<NodeId> roots, std::vector<std::int64_t> positions, std::vector<std::int64_t> bounds);

  std::size_t size() const { return bounds_.size() - 1; }
  std::span<const NodeId> operator[](std::size_t batch) const;
  std::span<const std::int64_t> positions(std::size_t batch) const;
  std::span<const NodeId> roots() const { return roots_; }

 private:
  std::vector<NodeId> roots_;
  std::vector<std::int64_t> positions_;
  std::vector<std::int64_t> bounds_;
};

/// A pure function of its arguments: the same bits on every machine and for any number of threads.
/// roots: global ids without repeats, in any order; may be empty (no batches). Every root appears once
/// (drop_last aside). mix = 1 is one uniform permutation; mix = 0 never interleaves two communities.
/// Throws InvalidArgument for an option out of range or a root that is no node.
Plan make_plan(std::span<const NodeId> roots, const Communities& communities, const PlanOptions& options);

}  // namespace kith
