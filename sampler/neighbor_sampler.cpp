#include "sampler/neighbor_sampler.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "sampler/draw.h"
#include "sampler/drawer.h"
#include "sampler/hop_rules.h"
#include "sampler/rng.h"
#include "sampler/scratch.h"

namespace kith {
namespace {

constexpr std::int32_t kChunk = 512;         ///< frontier nodes a task
constexpr std::int32_t kNodesAhead = 12;     ///< of prefetching rows and drawn neighbours
constexpr std::int32_t kLocalIdsAhead = 24;  ///< edges

void prefetch(const void* address) { __builtin_prefetch(address); }

/// Calls body(begin, end) for fixed chunks of [0, count), in parallel if there are several.
template <typename Body>
void for_each_chunk(std::int32_t count, const Body& body) {
  const std::int32_t num_chunks = (count + kChunk - 1) / kChunk;
  const auto run = [&](std::int32_t chunk) { body(chunk * kChunk, std::min(count, (chunk + 1) * kChunk)); };
  if (num_chunks == 1) return run(0);
  tbb::parallel_for(0, num_chunks, run);
}

}  // namespace

/// One call of sample(): the batch as far as it stands, and the steps of a hop.
class NeighborSampler::BatchBuilder {
 public:
  BatchBuilder(const NeighborSampler& sampler, SamplerScratch& scratch, BatchKey key)
      : sampler_(sampler), scratch_(scratch), key_(key) {}

  MiniBatch build(std::span<const NodeId> roots) {
    scratch_.local_ids.begin_batch(sampler_.graph_.num_nodes());
    scratch_.local_ids.set_roots(roots);
    batch_.input_nodes.assign(roots.begin(), roots.end());
    batch_.hop_bounds = {static_cast<std::int32_t>(roots.size())};
    batch_.offsets = {0};
    for (std::size_t hop = 0; hop < sampler_.options_.fanouts.size(); ++hop) {
      const DrawRule rule = rule_of(sampler_.options_, key_, hop);
      count(rule);
      draw(rule, streams_of(sampler_.options_, key_, hop));
      relabel();
    }
    batch_.num_intra_edges = num_intra_edges_;
    return std::move(batch_);
  }

 private:
  /// Looks up the rows of the frontier and appends their offsets.
  void count(const DrawRule& rule) {
    first_ = static_cast<std::int32_t>(batch_.offsets.size()) - 1;
    const std::int32_t num_frontier = batch_.hop_bounds.back() - first_;
    scratch_.rows.resize(static_cast<std::size_t>(num_frontier));
    batch_.offsets.resize(static_cast<std::size_t>(batch_.hop_bounds.back()) + 1);
    std::int32_t* const counts = batch_.offsets.data() + first_ + 1;
    const NodeId* const frontier = batch_.input_nodes.data() + first_;
    for_each_chunk(num_frontier, [&](std::int32_t begin, std::int32_t end) {
      for (std::int32_t i = begin; i < end; ++i) {
        if (i + kNodesAhead < end) sampler_.prefetch_row(frontier[i + kNodesAhead]);
        const DrawRow row = sampler_.row_of(frontier[i]);
        scratch_.rows[static_cast<std::size_t>(i)] = row;
        counts[i] = num_drawn(rule, row);
      }
    });
    std::int64_t total = counts[-1];
    for (std::int32_t i = 0; i < num_frontier; ++i) {
      total += counts[i];
      counts[i] = static_cast<std::int32_t>(total);
    }
    check_num_edges(total);
  }

  /// Fills in the global ids of the drawn sources. Positions are drawn a few nodes before their ids are read,
  /// so the reads find their cache lines on the way.
  void draw(const DrawRule& rule, const HopStreams& streams) {
    const SamplerOptions& options = sampler_.options_;
    const auto num_edges = static_cast<std::size_t>(batch_.offsets.back());
    batch_.sources.resize(num_edges);
    if (options.keep_edges) batch_.edges.resize(num_edges);
    if (options.is_unbiased) batch_.weights.resize(num_edges);
    const std::int32_t num_frontier = batch_.hop_bounds.back() - first_;
    const std::int32_t* const offsets = batch_.offsets.data() + first_;
    const NodeId* const frontier = batch_.input_nodes.data() + first_;
    for_each_chunk(num_frontier, [&](std::int32_t begin, std::int32_t end) {
      Drawer drawer(rule, sampler_.graph_.neighbors, streams.shared);
      std::int64_t num_intra = 0;
      for (std::int32_t i = begin; i < end + kNodesAhead; ++i) {
        if (i < end) {
          const DrawRow& row = scratch_.rows[static_cast<std::size_t>(i)];
          Rng rng = streams.own(static_cast<std::uint32_t>(frontier[i]));
          std::int32_t* const out = batch_.sources.data() + offsets[i];
          const std::int32_t count = offsets[i + 1] - offsets[i];
          drawer.draw(row, count, rng, out);
          if (rule.is_unbiased) {
            drawer.weigh(row, {out, static_cast<std::size_t>(count)}, batch_.weights.data() + offsets[i]);
          }
          for (std::int32_t e = 0; e < count; ++e) {
            prefetch(sampler_.graph_.neighbors.data() + row.begin + out[e]);
          }
        }
        if (const std::int32_t done = i - kNodesAhead; done >= begin) {
          num_intra +=
              read_sources(scratch_.rows[static_cast<std::size_t>(done)], offsets[done], offsets[done + 1]);
        }
      }
      num_intra_edges_ += num_intra;
    });
  }

  /// Turns positions in one row into global ids, and keeps the edges if asked to. Returns how many lie inside
  /// the row's community.
  std::int32_t read_sources(const DrawRow& row, std::int32_t begin, std::int32_t end) {
    const NodeId* const ids = sampler_.graph_.neighbors.data() + row.begin;
    std::int32_t* const sources = batch_.sources.data();
    if (sampler_.options_.keep_edges) {
      for (std::int32_t e = begin; e < end; ++e) {
        batch_.edges[static_cast<std::size_t>(e)] = row.begin + sources[e];
      }
    }
    std::int32_t num_intra = 0;
    for (std::int32_t e = begin; e < end; ++e) {
      num_intra += row.is_inside(sources[e]) ? 1 : 0;
      sources[e] = ids[sources[e]];
    }
    return num_intra;
  }

  /// Gives the new nodes of this hop local ids in order of first appearance.
  void relabel() {
    const std::int32_t begin = batch_.offsets[static_cast<std::size_t>(first_)];
    const std::int32_t end = batch_.offsets.back();
    const std::int32_t known = batch_.hop_bounds.back();
    const std::int32_t most = std::min(sampler_.graph_.num_nodes() - known, end - begin);
    batch_.input_nodes.resize(static_cast<std::size_t>(known) + static_cast<std::size_t>(most));
    std::int32_t* const sources = batch_.sources.data();
    NodeId* const nodes = batch_.input_nodes.data();
    LocalIds& local_ids = scratch_.local_ids;
    std::int32_t next = known;
    for (std::int32_t e = begin; e < end; ++e) {
      if (e + kLocalIdsAhead < end) local_ids.prefetch(sources[e + kLocalIdsAhead]);
      const NodeId node = sources[e];
      const std::int32_t local_id = local_ids.get_or_set(node, next);
      if (local_id == next) nodes[next++] = node;
      sources[e] = local_id;
    }
    batch_.input_nodes.resize(static_cast<std::size_t>(next));
    batch_.hop_bounds.push_back(next);
  }

  const NeighborSampler& sampler_;
  SamplerScratch& scratch_;
  BatchKey key_;
  std::int32_t first_ = 0;  ///< local id of the first node of the frontier
  std::atomic<std::int64_t> num_intra_edges_ = 0;
  MiniBatch batch_;
};

NeighborSampler::NeighborSampler(CsrView graph, const Communities& communities, SamplerOptions options)
    : graph_(graph), options_(std::move(options)), scratch_(std::make_unique<ScratchPool>()) {
  check_neighbor_sampler(graph_, communities, options_);
  intra_ = find_intra_slices(graph_, communities);
}

NeighborSampler::~NeighborSampler() = default;

void NeighborSampler::prefetch_row(NodeId node) const {
  prefetch(graph_.offsets.data() + node);
  prefetch(intra_.data() + node);
}

DrawRow NeighborSampler::row_of(NodeId node) const {
  return {.begin = graph_.offsets[node],
          .degree = graph_.degree(node),
          .intra_begin = intra_[node].begin,
          .num_intra = intra_[node].count};
}

MiniBatch NeighborSampler::sample(std::span<const NodeId> roots, std::int32_t epoch, std::int64_t batch_index,
                                  std::optional<double> p_intra) const {
  const BatchKey key{.epoch = epoch, .batch_index = batch_index, .p_intra = p_intra};
  check_batch(options_, key, roots.size(), graph_.num_nodes());
  ScratchPool::Lease scratch(*scratch_);
  return BatchBuilder(*this, *scratch, key).build(roots);
}

}  // namespace kith
