// Batches as arrays in PyG's layout, features gathered: what a Python user iterates over.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "sampler/locality_meter.h"
#include "train/batch_tiers.h"
#include "train/loader.h"
#include "train/prefetcher.h"

namespace kith {

/// One batch. n inputs, E edges, L hops; ids in edge_index are local to the batch. Owns everything.
///
/// Example, the batch of sampler/batch.h (root 7 hears from 3 and 9; 3 hears from 7):
///   n_id = [7, 3, 9], edge_index = [1, 2, 0,  0, 0, 1]
///   num_sampled_nodes = [1, 2, 0], num_sampled_edges = [2, 1]
struct ArrayBatch {
  std::vector<std::int64_t> n_id;               ///< [n] global ids, roots first
  std::vector<std::int64_t> edge_index;         ///< [2 x E] the neighbours drawn; who drew them, ascending
  std::vector<float> edge_weight;               ///< [E] of an unbiased mean, see MiniBatch::weights; or empty
  std::vector<std::int64_t> e_id;               ///< [E] dataset.edge_id, or positions in the graph's array
  std::vector<std::int64_t> input_id;           ///< [num_roots] positions in the loader's list of roots
  std::vector<std::int64_t> num_sampled_nodes;  ///< [L + 1] roots, then the nodes that each hop adds
  std::vector<std::int64_t> num_sampled_edges;  ///< [L]
  std::vector<std::int32_t> indptr;             ///< MiniBatch::offsets; every block is a prefix
  std::vector<std::int32_t> indices;            ///< MiniBatch::sources
  std::optional<Tensor> x;                      ///< [n x features] f32; or none
  std::vector<std::int64_t> labels;             ///< [n], kNoLabel = none; empty if multi-label or unlabelled
  std::vector<std::uint8_t> label_indicator;    ///< [n x classes] if multi-label
  BatchStats stats;
  double sample_seconds = 0;
  double gather_seconds = 0;            ///< of the feature rows
  std::optional<StageTraffic> traffic;  ///< of the feature rows, where they come through tiers
};

/// Turns a sampled batch into arrays. positions: [num_roots] where each root stood. The batch must hold its
/// edges (SamplerOptions::keep_edges). backend: gathers the features; null = leave them out. Safe to call from
/// several threads at once.
ArrayBatch collate(const Dataset& dataset, Backend* backend, SampledBatch sampled,
                   std::span<const std::int64_t> positions);

/// The batches of one epoch in order, made ahead on loader.options().prefetch_depth threads, or on one where
/// features come through tiers. Keeps references to all of them, which must outlive it. One thread at a time.
class BatchStream {
 public:
  /// What batches are made of, and with.
  struct Sources {
    const Loader& loader;
    const Dataset& dataset;
    Backend& backend;
    BatchTiers* tiers = nullptr;  ///< null: features are read in place
  };

  /// first: batches of the epoch to leave out. Throws InvalidArgument for an epoch out of range, and while
  /// another stream has the tiers.
  BatchStream(const Sources& sources, std::int32_t epoch, std::size_t first);

  /// The next batch, or nothing after the last one.
  std::optional<ArrayBatch> next();

 private:
  ArrayBatch make(std::size_t index);

  Sources sources_;
  std::int32_t epoch_;
  std::unique_ptr<BatchTiers, BatchTiers::Release> turn_;
  LocalityMeter meter_;
  Plan plan_;
  Prefetcher<ArrayBatch> batches_;
};

}  // namespace kith
