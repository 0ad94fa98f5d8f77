#include "train/batch_stream.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <thread>
#include <utility>

#include "graph/errors.h"
#include "train/stopwatch.h"

namespace kith {
namespace {

std::vector<std::int64_t> edge_index_of(const MiniBatch& batch) {
  std::vector<std::int64_t> edge_index;
  edge_index.reserve(2 * batch.sources.size());  // filled once: zeros first would cost as much again
  edge_index.assign(batch.sources.begin(), batch.sources.end());
  for (std::size_t v = 0; v + 1 < batch.offsets.size(); ++v) {
    const auto num_drawn = static_cast<std::size_t>(batch.offsets[v + 1] - batch.offsets[v]);
    edge_index.insert(edge_index.end(), num_drawn, static_cast<std::int64_t>(v));
  }
  return edge_index;
}

void count_hops(const MiniBatch& batch, ArrayBatch& out) {
  out.num_sampled_nodes.push_back(batch.num_roots());
  std::int32_t first_row = 0;  // the nodes that the hop expands are those that the hop before it added
  for (std::size_t hop = 0; hop + 1 < batch.hop_bounds.size(); ++hop) {
    out.num_sampled_nodes.push_back(batch.hop_bounds[hop + 1] - batch.hop_bounds[hop]);
    out.num_sampled_edges.push_back(batch.offsets[batch.hop_bounds[hop]] - batch.offsets[first_row]);
    first_row = batch.hop_bounds[hop];
  }
}

void gather_labels(const Labels& labels, std::span<const NodeId> nodes, ArrayBatch& out) {
  if (!labels.of_node.empty()) {
    out.labels.reserve(nodes.size());
    for (const NodeId v : nodes) out.labels.push_back(labels.of_node[v]);
  }
  if (labels.is_multi_label()) {
    const auto num_classes = static_cast<std::size_t>(labels.num_classes);
    out.label_indicator.resize(nodes.size() * num_classes);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      std::copy_n(labels.indicator.data() + static_cast<std::size_t>(nodes[i]) * num_classes, num_classes,
                  out.label_indicator.data() + i * num_classes);
    }
  }
}

/// Makes glibc keep the memory of released batches for the next ones. It gives back what exceeds twice the
/// largest block that was ever mapped and freed, so one large block, never touched, does it for the process.
/// Without it a batch of some MB is mapped anew every time, which costs more than filling it.
void keep_released_memory() {
  constexpr std::size_t kBytes = std::size_t{31} << 20;  // glibc takes no account of blocks above 32 MiB
  void* volatile block = std::malloc(kBytes);            // volatile: a compiler may leave a plain pair out
  std::free(block);
}

/// rows: of `table`, with its bytes.
Tensor to_floats(Backend& backend, FeatureView table, Tensor rows) {
  if (table.type == FeatureType::f32) return rows;
  std::vector<NodeId> all(static_cast<std::size_t>(rows.rows()));
  std::iota(all.begin(), all.end(), NodeId{0});
  table.data = reinterpret_cast<const std::byte*>(rows.data<float>());
  table.num_rows = rows.rows();
  Tensor out = backend.empty(rows.rows(), table.dim, Scalar::f32);
  backend.gather(table, all, out);
  return out;
}

std::size_t num_workers(const Loader& loader) {
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  return std::min(cores, static_cast<std::size_t>(loader.options().prefetch_depth));
}

}  // namespace

ArrayBatch collate(const Dataset& dataset, Backend* backend, SampledBatch sampled,
                   std::span<const std::int64_t> positions) {
  MiniBatch& batch = sampled.batch;
  KITH_CHECK(batch.edges.size() == batch.sources.size(), InvalidArgument,
             "collate: the batch must hold its edges (keep_edges)");
  ArrayBatch out;
  out.n_id.assign(batch.input_nodes.begin(), batch.input_nodes.end());
  out.edge_index = edge_index_of(batch);
  out.input_id.assign(positions.begin(), positions.end());
  count_hops(batch, out);
  gather_labels(dataset.labels, batch.input_nodes, out);
  if (backend != nullptr && dataset.features.dim() > 0) {
    const Stopwatch watch;
    out.x = backend->empty(static_cast<std::int64_t>(batch.input_nodes.size()), dataset.features.dim(),
                           Scalar::f32);
    backend->gather(dataset.features.view(), batch.input_nodes, *out.x);
    out.gather_seconds = watch.seconds();
  }
  if (!dataset.edge_id.empty()) {
    for (EdgeOffset& edge : batch.edges) edge = dataset.edge_id[static_cast<std::size_t>(edge)];
  }
  out.e_id = std::move(batch.edges);
  out.edge_weight = std::move(batch.weights);
  out.indptr = std::move(batch.offsets);
  out.indices = std::move(batch.sources);
  out.stats = sampled.stats;
  out.sample_seconds = sampled.sample_seconds;
  return out;
}

BatchStream::BatchStream(const Sources& sources, std::int32_t epoch, std::size_t first)
    : sources_(sources),
      epoch_(epoch),
      turn_(sources.tiers != nullptr ? sources.tiers->take_turn() : nullptr),
      meter_(sources.dataset.num_nodes(), sources.dataset.features.view().row_bytes()),
      plan_(sources.loader.plan(epoch)),
      batches_(
          std::min(first, plan_.size()), plan_.size(),
          static_cast<std::size_t>(sources.loader.options().prefetch_depth),
          [this](std::size_t index) { return make(index); },
          sources.tiers != nullptr ? 1 : num_workers(sources.loader)) {
  keep_released_memory();
}

ArrayBatch BatchStream::make(std::size_t index) {
  const auto& [loader, dataset, backend, tiers] = sources_;
  const std::span<const std::int64_t> positions = plan_.positions(index);
  if (tiers == nullptr) {
    Backend* const gatherer = loader.options().has_features ? &backend : nullptr;
    return collate(dataset, gatherer, loader.sample(plan_, epoch_, index), positions);
  }
  TieredBatch tiered = tiers->make(loader, backend, plan_, epoch_, index);
  ArrayBatch out = collate(dataset, nullptr, std::move(tiered.sampled), positions);
  const Stopwatch watch;
  out.x = to_floats(backend, dataset.features.view(), std::move(tiered.rows));
  out.gather_seconds = tiered.stage_seconds + watch.seconds();
  out.traffic = tiered.traffic;
  return out;
}

std::optional<ArrayBatch> BatchStream::next() {
  std::optional<ArrayBatch> batch = batches_.next();
  if (batch) meter_.add(std::span<const std::int64_t>(batch->n_id), batch->stats);
  return batch;
}

}  // namespace kith
