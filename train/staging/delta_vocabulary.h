// The words of the learned prefetcher: differences between pages that follow one another (Hashemi et al., arXiv
// 1803.02329).
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "train/staging/page_geometry.h"

namespace kith {

/// The most frequent deltas; whatever else occurs is one token, 0.
class DeltaVocabulary {
 public:
  static constexpr std::int32_t kRest = 0;

  DeltaVocabulary() = default;

  /// The at most `max_tokens` - 1 most frequent deltas, more frequent ones first; of equals the nearer one,
  /// then the one ahead. max_tokens > 0.
  DeltaVocabulary(std::span<const PageId> deltas, std::int32_t max_tokens);

  std::int32_t size() const {
    return static_cast<std::int32_t>(delta_of_.size());
  }  ///< with the rest; 0 = not built
  std::int32_t token(PageId delta) const {
    const auto found = token_of_.find(delta);
    return found == token_of_.end() ? kRest : found->second;
  }
  /// Of a token other than kRest.
  PageId delta(std::int32_t token) const { return delta_of_[token]; }

 private:
  std::vector<PageId> delta_of_;
  std::unordered_map<PageId, std::int32_t> token_of_;
};

}  // namespace kith
