#include "train/staging/delta_vocabulary.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "graph/errors.h"

namespace kith {

DeltaVocabulary::DeltaVocabulary(std::span<const PageId> deltas, std::int32_t max_tokens) {
  KITH_CHECK(max_tokens > 0, InvalidArgument, "staging: a vocabulary must have 1 token or more, got ",
             max_tokens);
  std::unordered_map<PageId, std::int64_t> counts;
  for (const PageId delta : deltas) ++counts[delta];
  std::vector<std::tuple<std::int64_t, PageId, PageId>> order;  // minus the count, distance, minus the delta
  order.reserve(counts.size());
  for (const auto& [delta, count] : counts) order.emplace_back(-count, std::abs(delta), -delta);
  std::sort(order.begin(), order.end());
  order.resize(std::min(order.size(), static_cast<std::size_t>(max_tokens - 1)));
  delta_of_.push_back(0);
  for (const auto& [count, distance, opposite] : order) {
    token_of_[-opposite] = size();
    delta_of_.push_back(-opposite);
  }
}

}  // namespace kith
