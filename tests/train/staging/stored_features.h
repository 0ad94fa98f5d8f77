// A dataset file with features of any type and width, and tiers that are small beside it.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "graph/dataset_file.h"
#include "tests/support/learnable.h"
#include "tests/support/temp_folder.h"
#include "train/loader.h"
#include "train/staging/options.h"

namespace kith::test {

inline constexpr StagePolicy kPolicies[] = {StagePolicy::degree,   StagePolicy::presample, StagePolicy::lru,
                                            StagePolicy::sieve,    StagePolicy::lookahead, StagePolicy::lstm,
                                            StagePolicy::automatic};

/// Features of ordinary values: multiples of 1/8 between -4 and 4, the same numbers in every type.
inline FeatureStore random_features(std::int64_t num_rows, std::int32_t dim, FeatureType type) {
  std::mt19937 random(5);
  const std::size_t count = static_cast<std::size_t>(num_rows) * static_cast<std::size_t>(dim);
  std::vector<std::byte> bytes(count * size_of(type));
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(static_cast<int>(random() % 64) - 32) / 8;
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    if (type == FeatureType::bf16) bits >>= 16;
    if (type == FeatureType::f16 && value != 0) {
      bits = (bits >> 16 & 0x8000) | (((bits >> 23 & 0xff) - 112) << 10) | (bits >> 13 & 0x3ff);
    }
    std::memcpy(bytes.data() + i * size_of(type), &bits, size_of(type));
  }
  return FeatureStore(std::move(bytes), num_rows, dim, type);
}

struct StoredFeatures {
  /// learnable_dataset() with other features, or its own.
  StoredFeatures(std::int32_t dim, FeatureType type) {
    Dataset dataset = learnable_dataset();
    dataset.features = random_features(dataset.num_nodes(), dim, type);
    open(dataset);
  }
  StoredFeatures() { open(learnable_dataset()); }

  std::size_t row_bytes() const { return mapped.features.view().row_bytes(); }
  std::int64_t table_bytes() const { return mapped.num_nodes() * static_cast<std::int64_t>(row_bytes()); }

  /// A quarter of the table in the fast tier, pages of six rows.
  StagingOptions staging(StagePolicy policy, std::int64_t host_bytes) const {
    StagingOptions options;
    options.policy = policy;
    options.stage_bytes = table_bytes() / 4;
    options.host_bytes = host_bytes;
    options.page_bytes = 6 * row_bytes();
    options.lookahead = 3;
    options.predictor = {.max_tokens = 32, .units = 8, .vocabulary_accesses = 20};
    options.predictor_percent = 50;
    return options;
  }

  TempFolder folder;
  Dataset mapped;
  LoaderOptions loader = {.plan = {.batch_size = 24, .mix = 0.25}, .sampler = {.fanouts = {4, 4}}};

 private:
  void open(const Dataset& dataset) {
    const std::string path = folder.file("stored.kith.h5");
    write_dataset(path, dataset);
    mapped = read_dataset(path);
  }
};

}  // namespace kith::test
