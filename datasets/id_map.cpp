#include "datasets/id_map.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <iterator>

namespace kith {

void IdMap::insert_sparse(std::uint64_t id) {
  recent_.push_back(id);
  // Merging costs a pass over what is there already, so the next one waits for as many new ids.
  if (recent_.size() >= std::max(sparse_.size(), std::size_t{1} << 20)) {
    merge_recent();
  }
}

void IdMap::merge_recent() {
  std::sort(recent_.begin(), recent_.end());
  const auto middle = static_cast<std::ptrdiff_t>(sparse_.size());
  sparse_.insert(sparse_.end(), recent_.begin(), std::unique(recent_.begin(), recent_.end()));
  recent_.clear();
  std::inplace_merge(sparse_.begin(), sparse_.begin() + middle, sparse_.end());
  sparse_.erase(std::unique(sparse_.begin(), sparse_.end()), sparse_.end());
}

std::int64_t IdMap::freeze() {
  merge_recent();
  recent_ = {};
  rank_.resize(bits_.size());
  num_dense_ = 0;
  for (std::size_t word = 0; word < bits_.size(); ++word) {
    rank_[word] = num_dense_;
    num_dense_ += std::popcount(bits_[word]);
  }
  return size();
}

std::optional<NodeId> IdMap::find(std::uint64_t id) const {
  if (id < dense_limit_) {
    const std::uint64_t word = id / 64;
    const std::uint64_t bit = std::uint64_t{1} << (id % 64);
    if (word >= bits_.size() || (bits_[word] & bit) == 0) {
      return std::nullopt;
    }
    return static_cast<NodeId>(rank_[word] + std::popcount(bits_[word] & (bit - 1)));
  }
  const auto place = std::lower_bound(sparse_.begin(), sparse_.end(), id);
  if (place == sparse_.end() || *place != id) {
    return std::nullopt;
  }
  return static_cast<NodeId>(num_dense_ + (place - sparse_.begin()));
}

std::vector<std::int64_t> IdMap::ids() const {
  std::vector<std::int64_t> all;
  all.reserve(static_cast<std::size_t>(size()));
  for (std::size_t word = 0; word < bits_.size(); ++word) {
    for (std::uint64_t rest = bits_[word]; rest != 0; rest &= rest - 1) {
      all.push_back(static_cast<std::int64_t>(word * 64) + std::countr_zero(rest));
    }
  }
  std::copy(sparse_.begin(), sparse_.end(), std::back_inserter(all));
  if (all.empty() || all.back() == size() - 1) {
    all.clear();
  }
  return all;
}

}  // namespace kith
