#include "graph/communities.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "graph/errors.h"

namespace kith {
namespace {

std::vector<EdgeOffset> one_community(NodeId num_nodes) {
  return num_nodes == 0 ? std::vector<EdgeOffset>{0} : std::vector<EdgeOffset>{0, num_nodes};
}

}  // namespace

Communities::Communities(NodeId num_nodes) : Communities(one_community(num_nodes), num_nodes, "Communities") {}

Communities::Communities(std::vector<EdgeOffset> offsets, NodeId num_nodes, const char* who)
    : offsets_(std::move(offsets)) {
  KITH_CHECK(!offsets_.empty() && offsets_.front() == 0 && offsets_.back() == num_nodes, InvalidArgument, who,
             ": community offsets must run from 0 to ", num_nodes);
  const bool is_rising =
      std::adjacent_find(offsets_.begin(), offsets_.end(), std::greater_equal<>()) == offsets_.end();
  KITH_CHECK(is_rising, InvalidArgument, who, ": community offsets must rise (no empty community)");
  community_of_.resize(static_cast<std::size_t>(num_nodes));
  for (std::int32_t c = 0; c < num_communities(); ++c) {
    std::fill(community_of_.begin() + begin(c), community_of_.begin() + end(c), c);
  }
}

void check_nested(std::span<const Communities> levels, const char* who) {
  KITH_CHECK(!levels.empty(), InvalidArgument, who, ": at least one community level is needed");
  for (std::size_t level = 1; level < levels.size(); ++level) {
    const auto finer = levels[level - 1].offsets();
    const auto coarser = levels[level].offsets();
    KITH_CHECK(levels[level].num_nodes() == levels[0].num_nodes(), InvalidArgument, who, ": community level ",
               level, " covers ", levels[level].num_nodes(), " nodes, level 0 covers ", levels[0].num_nodes());
    KITH_CHECK(std::includes(finer.begin(), finer.end(), coarser.begin(), coarser.end()), InvalidArgument, who,
               ": community level ", level, " cuts through communities of level ", level - 1);
  }
}

}  // namespace kith
