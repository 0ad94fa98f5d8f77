#include "datasets/random_split.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>
#include <vector>

#include "graph/errors.h"
#include "sampler/rng.h"

namespace kith {

namespace {

constexpr std::uint8_t kStream = 220;  // the generator has those from 200 to 215

}  // namespace

SplitShares SplitShares::parse(std::string_view text) {
  SplitShares shares;
  const char* const end = text.data() + text.size();
  const auto [comma, error] = std::from_chars(text.data(), end, shares.train);
  bool is_valid = error == std::errc() && comma != end && *comma == ',';
  if (is_valid) {
    const auto [rest, rest_error] = std::from_chars(comma + 1, end, shares.valid);
    is_valid = rest_error == std::errc() && rest == end;
  }
  KITH_CHECK(
      is_valid && shares.train > 0 && shares.valid >= 0 && shares.train + shares.valid <= 1, InvalidArgument,
      "--random-split: expected shares of the labelled nodes for training and validation, as in 0.6,0.2, got '",
      text, "'");
  return shares;
}

Splits random_split(const Labels& labels, std::int64_t num_nodes, const SplitShares& shares,
                    std::uint64_t seed) {
  KITH_CHECK(!labels.empty(), InvalidArgument, "--random-split: no node has a label");
  std::vector<NodeId> nodes;
  for (NodeId v = 0; v < num_nodes; ++v) {
    const bool has_label = labels.is_multi_label() || labels.of_node[static_cast<std::size_t>(v)] != kNoLabel;
    if (has_label) nodes.push_back(v);
  }
  Rng rng(seed, 0, 0, 0, kStream);
  shuffle(std::span(nodes), rng);
  const auto count = static_cast<double>(nodes.size());
  const auto train_end = nodes.begin() + std::llround(shares.train * count);
  const auto valid_end = nodes.begin() + std::min(std::llround((shares.train + shares.valid) * count),
                                                  static_cast<long long>(nodes.size()));
  Splits splits{{nodes.begin(), train_end}, {train_end, valid_end}, {valid_end, nodes.end()}};
  for (std::vector<NodeId>* part : {&splits.train, &splits.valid, &splits.test}) std::ranges::sort(*part);
  return splits;
}

}  // namespace kith
