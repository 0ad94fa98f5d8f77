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

/// What `mix` is a share of. At 0 each community stands alone, at 1 the order is uniform, in all four.
enum class Mixing : std::uint8_t {
  communities,  ///< of the communities, random ones in each super-community
  balanced,     ///< of the roots, so that super-communities (of whole, random communities) are alike in size
  nested,       ///< of the communities, which are neighbours at the coarser levels
  leaky,        ///< of the roots, which are shuffled over the whole epoch; the others stay with their community
};

/// "communities", "balanced", "nested" or "leaky". Throws InvalidArgument for another name.
Mixing parse_mixing(std::string_view name);
std::string_view name_of(Mixing mixing);

/// How roots are ordered. Defaults are COMM-RAND's.
struct PlanOptions {
  std::int32_t batch_size = 1024;  ///< roots a batch, > 0
  double mix = 0.125;              ///< 0..1, see Mixing
  std::int32_t group = 0;          ///< communities in one super-community; 0 = as `mix` says (leaky: 1)
  Mixing mixing = Mixing::communities;
  BatchOrder batch_order = {};    ///< order of the full batches, a short one stays last; ignored at mix = 1
  bool is_shuffled = true;        ///< false: the roots as stored, in every epoch the same
  bool is_batch_per_run = false;  ///< a batch is a super-community (Cluster-GCN); batch_size is not used
  bool drop_last = false;         ///< leave out a last batch that is not full
  std::uint64_t seed = 0;
  std::int32_t epoch = 0;       ///< >= 0
  std::int32_t rank = 0;        ///< 0..world_size - 1
  std::int32_t world_size = 1;  ///< processes that share the epoch
};

/// Owns the root order of one epoch (of one rank). Batch i is plan[i].
class Plan {
 public:
  /// roots: all batches one after another; bounds: [num_batches + 1] into roots.
  /// positions: [roots.size()] where each root stood in the list that make_plan was given.
  /// ids: [num_batches] what each batch is called whatever rank makes it, and whenever.
  Plan(std::vector<NodeId> roots, std::vector<std::int64_t> positions, std::vector<std::int64_t> bounds,
       std::vector<std::int64_t> ids);

  std::size_t size() const { return bounds_.size() - 1; }
  std::span<const NodeId> operator[](std::size_t batch) const;
  std::span<const std::int64_t> positions(std::size_t batch) const;
  std::int64_t id(std::size_t batch) const { return ids_[batch]; }
  std::span<const NodeId> roots() const { return roots_; }

 private:
  std::vector<NodeId> roots_;
  std::vector<std::int64_t> positions_;
  std::vector<std::int64_t> bounds_;
  std::vector<std::int64_t> ids_;
};

/// A pure function of its arguments: the same bits on every machine and for any number of threads.
/// roots: global ids without repeats, in any order; may be empty (no batches). levels: the communities that
/// `mix` speaks of, then the coarser ones (Mixing::nested). Every root appears once (drop_last aside). mix = 1
/// is one uniform permutation; mix = 0 never interleaves two communities.
///
/// With several ranks, each gets as many batches and neighbouring ones as cut, so whole super-communities where
/// they fit; over the ranks they are the batches that one rank would get, with the same ids, but for the last
/// few, which are cut anew so that every rank has one.
/// Throws InvalidArgument for an option out of range, a root that is no node, or fewer roots than ranks.
Plan make_plan(std::span<const NodeId> roots, std::span<const Communities> levels, const PlanOptions& options);

/// The same with one level.
inline Plan make_plan(std::span<const NodeId> roots, const Communities& communities,
                      const PlanOptions& options) {
  return make_plan(roots, std::span(&communities, 1), options);
}

}  // namespace kith
