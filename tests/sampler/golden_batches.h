// The options behind golden_batches.txt.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/types.h"
#include "sampler/sampler_options.h"

namespace kith::test {

struct Golden {
  const char* name;
  SamplerOptions options;
  std::uint64_t graph_seed = 1;  ///< of messy_graph; communities of 20 nodes
  std::vector<NodeId> roots = {33, 121, 199};
  std::int32_t epoch = 3;
  std::int64_t batch_index = 9;
};

inline std::vector<Golden> golden_batches() {
  constexpr auto kLabor = SamplerKind::labor;
  return {
      {"uniform", {.fanouts = {4, 3, 2}, .p_intra = 0.5, .seed = 7}},
      {"biased", {.fanouts = {4, 3, 2}, .p_intra = 0.9, .seed = 7}, 2},
      {"biased, other epoch and batch",
       {.fanouts = {4, 3}, .p_intra = 0.9, .seed = 7},
       2,
       {33, 121},
       16777215,
       4294967295},
      {"a seed of 64 bits", {.fanouts = {4, 3}, .p_intra = 0.7, .seed = 0xfedcba9876543210}, 2, {5, 33}},
      {"inside, keep", {.fanouts = {4, 3}, .p_intra = 1, .seed = 7}, 3},
      {"inside, drop", {.fanouts = {4, 3}, .p_intra = 1, .no_intra = NoIntra::drop, .seed = 7}, 3},
      {"with replacement", {.fanouts = {4, 3}, .p_intra = 0.8, .with_replacement = true, .seed = 7}},
      {"unbiased", {.fanouts = {4, 1}, .p_intra = 0.9, .is_unbiased = true, .seed = 7}},
      {"unbiased, inside", {.fanouts = {4, 2}, .p_intra = 1, .is_unbiased = true, .seed = 7}},
      {"labor", {.kind = kLabor, .fanouts = {4, 3}, .p_intra = 0.5, .seed = 7}, 1, {33, 34, 37, 121}},
      {"labor, biased", {.kind = kLabor, .fanouts = {4, 3}, .p_intra = 0.9, .seed = 7}, 2, {33, 34, 37, 121}},
      {"full", {.kind = SamplerKind::full, .fanouts = {1, 1}, .seed = 7}, 1, {33}},
      {"cluster", {.kind = SamplerKind::cluster, .fanouts = {1, 1}, .seed = 7}, 1, {33, 199}},
  };
}

}  // namespace kith::test
