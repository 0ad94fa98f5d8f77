// Runs every candidate on paper and follows the one that has stalled least.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "train/staging/replay.h"

namespace kith {

/// A policy to choose from.
struct Candidate {
  std::string name;
  std::unique_ptr<PolicyReplay> replay;
};

/// The fast tier that holds what the followed candidate would, as far as it has been read since it was chosen:
/// a change of mind moves nothing at once, but what the new candidate holds and the old one did not is read
/// when a batch first asks for it.
///
/// Every candidate keeps its own accounts on its own clock. The choice is the one with the smallest sum of
/// stalls since the beginning, but one that is followed stays until another is ahead of it by what the change
/// would cost, and by a random margin that grows with what changes of mind have cost so far (at most as the
/// square root of the smallest sum): where the best candidate is steady nothing is lost to the margin, and
/// whoever times his accesses to fool the choice has to guess it (after "follow the perturbed leader", Kalai &
/// Vempala 2005).
class AutoReplay final : public StageReplay {
 public:
  /// At least one candidate, all over the same table and tiers. Throws InvalidArgument.
  AutoReplay(std::vector<Candidate> candidates, std::uint64_t seed);

  /// Follows the candidate that has stalled least so far, with its content as it is on paper, and forgets all
  /// sums: for a start, when nothing has been read and no choice costs anything.
  void settle();

  void reveal(std::span<const NodeId> rows, std::int32_t context) override;
  StageAccount step() override;
  bool holds(NodeId row) const override { return followed().replay->holds(row) && !is_pending_[row]; }

  const Changes& changes() const override { return followed().replay->changes(); }
  bool is_renewed() const override { return is_renewed_; }

  const std::string& followed_name() const { return followed().name; }
  std::int64_t num_changes() const { return num_changes_; }

 private:
  const Candidate& followed() const { return candidates_[followed_]; }
  std::size_t best() const;  ///< has the smallest sum
  /// What the batch needs of the followed candidate's content and was not read since it was chosen. Not pending
  /// any more after that.
  ReadBytes read_pending(std::span<const NodeId> rows, StageAccount& account);
  void choose();
  double change_seconds(std::size_t to) const;
  void follow(std::size_t candidate);

  std::vector<Candidate> candidates_;
  std::vector<double> stalls_;  ///< [candidates] sums
  std::size_t followed_ = 0;
  IdSet is_pending_;  ///< [num_rows] in the followed candidate's content, but not read yet
  BatchSplitter splitter_;
  StallClock clock_;
  std::deque<std::vector<NodeId>> revealed_;
  double stall_ = 0;          ///< own sum
  double largest_stall_ = 0;  ///< of one step of one candidate
  double margin_factor_ = 1;
  std::int64_t num_changes_ = 0;
  bool is_renewed_ = false;  ///< the last step chose another candidate
  std::mt19937_64 random_;
};

}  // namespace kith
