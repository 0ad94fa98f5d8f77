#include "sampler/neighbor_sampler.h"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <utility>

#include "graph/errors.h"
#include "sampler/draw.h"
#include "sampler/rng.h"

namespace kith {
namespace {

constexpr std::int32_t kMaxFanout = 1'000'000;
constexpr std::size_t kMaxHops = 10;
constexpr std::int32_t kChunk = 512;  ///< frontier nodes a task

void check(const NeighborSamplerOptions& options) {
  KITH_CHECK(!options.fanouts.empty() && options.fanouts.size() <= kMaxHops, InvalidArgument,
             "NeighborSampler: fanouts must list 1 to ", kMaxHops, " hops, got ", options.fanouts.size());
  for (const std::int32_t fanout : options.fanouts) {
    KITH_CHECK(fanout >= -1, InvalidArgument, "NeighborSampler: fanout must be >= -1, got ", fanout);
    KITH_CHECK(fanout <= kMaxFanout, InvalidArgument, "NeighborSampler: fanout is too large (at most ",
               kMaxFanout, "; -1 takes all neighbours), got ", fanout);
  }
  KITH_CHECK(options.p_intra >= 0.5 && options.p_intra <= 1, InvalidArgument,
             "NeighborSampler: p_intra must be in [0.5, 1], got ", options.p_intra);
}

DrawRule rule_of(const NeighborSamplerOptions& options, std::int32_t fanout) {
  return {.fanout = fanout,
          .intra_weight =
              static_cast<std::uint64_t>(std::llround(options.p_intra * static_cast<double>(DrawRule::kOne))),
          .no_intra = options.no_intra,
          .with_replacement = options.with_replacement};
}

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

NoIntra parse_no_intra(std::string_view name) {
  if (name == "keep") return NoIntra::keep;
  KITH_CHECK(name == "drop", InvalidArgument, "no_intra: expected keep or drop, got ", name);
  return NoIntra::drop;
}

/// What one call of sample() works in; kept between calls, so that a batch costs no fresh pages.
struct NeighborSampler::Scratch {
  struct Mark {
    std::int32_t local_id = 0;
    std::int32_t stamp = 0;
  };

  /// Valid marks carry this call's stamp, so nothing is cleared between calls.
  std::vector<Mark> marks;  ///< [num_nodes]
  std::int32_t stamp = 0;
  std::vector<DrawRow> rows;  ///< [frontier] of the present hop

  void begin_batch(NodeId num_nodes) {
    marks.resize(static_cast<std::size_t>(num_nodes));
    if (stamp == std::numeric_limits<std::int32_t>::max()) {
      std::fill(marks.begin(), marks.end(), Mark{});
      stamp = 0;
    }
    ++stamp;
  }
};

/// Lends scratches. A call that throws gives its scratch back too.
class NeighborSampler::ScratchPool {
 public:
  class Lease {
   public:
    explicit Lease(ScratchPool& pool) : pool_(pool), scratch_(pool.take()) {}
    ~Lease() { pool_.give(std::move(scratch_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Scratch& operator*() { return *scratch_; }

   private:
    ScratchPool& pool_;
    std::unique_ptr<Scratch> scratch_;
  };

 private:
  std::unique_ptr<Scratch> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      free_.reserve(++num_scratches_);  // so that giving back never allocates
      return std::make_unique<Scratch>();
    }
    auto scratch = std::move(free_.back());
    free_.pop_back();
    return scratch;
  }

  void give(std::unique_ptr<Scratch> scratch) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(scratch));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> free_;
  std::size_t num_scratches_ = 0;
};

/// One call of sample(): the batch as far as it stands, and the steps of a hop.
class NeighborSampler::BatchBuilder {
 public:
  BatchBuilder(const NeighborSampler& sampler, Scratch& scratch, std::int32_t epoch, std::uint32_t batch_index)
      : sampler_(sampler), scratch_(scratch), epoch_(epoch), batch_index_(batch_index) {}

  MiniBatch build(std::span<const NodeId> roots) {
    scratch_.begin_batch(sampler_.graph_.num_nodes());
    batch_.offsets = {0};
    add_roots(roots);
    const auto& fanouts = sampler_.options_.fanouts;
    for (std::size_t hop = 0; hop < fanouts.size(); ++hop) {
      const DrawRule rule = rule_of(sampler_.options_, fanouts[hop]);
      count(rule);
      draw(rule, static_cast<std::uint8_t>(hop));
      relabel();
    }
    return std::move(batch_);
  }

 private:
  void add_roots(std::span<const NodeId> roots) {
    const NodeId num_nodes = sampler_.graph_.num_nodes();
    batch_.input_nodes.assign(roots.begin(), roots.end());
    for (std::size_t i = 0; i < roots.size(); ++i) {
      KITH_CHECK(roots[i] >= 0 && roots[i] < num_nodes, InvalidArgument,
                 "NeighborSampler: roots must be in [0, ", num_nodes, "), got ", roots[i]);
      Scratch::Mark& mark = scratch_.marks[static_cast<std::size_t>(roots[i])];
      KITH_CHECK(mark.stamp != scratch_.stamp, InvalidArgument, "NeighborSampler: root ", roots[i],
                 " comes twice in one batch");
      mark = {static_cast<std::int32_t>(i), scratch_.stamp};
    }
    batch_.hop_bounds = {static_cast<std::int32_t>(roots.size())};
  }

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
        if (i + kAhead < end) sampler_.prefetch_row(frontier[i + kAhead]);
        const DrawRow row = sampler_.row_of(frontier[i]);
        scratch_.rows[static_cast<std::size_t>(i)] = row;
        counts[i] = num_drawn(rule, row);
      }
    });
    std::int64_t total = counts[-1];
    for (std::int32_t i = 0; i < num_frontier; ++i) {
      total += counts[i];
      KITH_CHECK(
          total <= std::numeric_limits<std::int32_t>::max(), InvalidArgument,
          "NeighborSampler: one batch has more than 2147483647 edges; use a smaller batch size or fanout");
      counts[i] = static_cast<std::int32_t>(total);
    }
  }

  /// Fills in the global ids of the drawn sources. Positions are drawn a few nodes before their ids are read,
  /// so the reads find their cache lines on the way.
  void draw(const DrawRule& rule, std::uint8_t hop) {
    const NeighborSamplerOptions& options = sampler_.options_;
    batch_.sources.resize(static_cast<std::size_t>(batch_.offsets.back()));
    if (options.keep_edges) batch_.edges.resize(batch_.sources.size());
    const std::int32_t num_frontier = batch_.hop_bounds.back() - first_;
    const std::int32_t* const offsets = batch_.offsets.data() + first_;
    for_each_chunk(num_frontier, [&](std::int32_t begin, std::int32_t end) {
      ChosenSet chosen;
      for (std::int32_t i = begin; i < end + kAhead; ++i) {
        if (i < end) {
          const auto node =
              static_cast<std::uint32_t>(batch_.input_nodes[static_cast<std::size_t>(first_ + i)]);
          const DrawRow& row = scratch_.rows[static_cast<std::size_t>(i)];
          Rng rng(options.seed, node, batch_index_, epoch_, hop);
          std::int32_t* const out = batch_.sources.data() + offsets[i];
          const std::int32_t count = offsets[i + 1] - offsets[i];
          draw_positions(rule, row, count, rng, chosen, out);
          for (std::int32_t e = 0; e < count; ++e) {
            prefetch(sampler_.graph_.neighbors.data() + row.begin + out[e]);
          }
        }
        if (const std::int32_t done = i - kAhead; done >= begin) {
          read_sources(scratch_.rows[static_cast<std::size_t>(done)].begin, offsets[done], offsets[done + 1]);
        }
      }
    });
  }

  /// Turns positions in one row into global ids, and keeps the edges if asked to.
  void read_sources(EdgeOffset row_begin, std::int32_t begin, std::int32_t end) {
    const NodeId* const row = sampler_.graph_.neighbors.data() + row_begin;
    std::int32_t* const sources = batch_.sources.data();
    if (sampler_.options_.keep_edges) {
      for (std::int32_t e = begin; e < end; ++e)
        batch_.edges[static_cast<std::size_t>(e)] = row_begin + sources[e];
    }
    for (std::int32_t e = begin; e < end; ++e) sources[e] = row[sources[e]];
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
    Scratch::Mark* const marks = scratch_.marks.data();
    std::int32_t next = known;
    for (std::int32_t e = begin; e < end; ++e) {
      if (e + kMarksAhead < end) prefetch(marks + sources[e + kMarksAhead]);
      const NodeId node = sources[e];
      Scratch::Mark& mark = marks[node];
      if (mark.stamp != scratch_.stamp) {
        mark = {next, scratch_.stamp};
        nodes[next++] = node;
      }
      sources[e] = mark.local_id;
    }
    batch_.input_nodes.resize(static_cast<std::size_t>(next));
    batch_.hop_bounds.push_back(next);
  }

  static constexpr std::int32_t kAhead = 12;       ///< nodes
  static constexpr std::int32_t kMarksAhead = 24;  ///< edges

  const NeighborSampler& sampler_;
  Scratch& scratch_;
  std::int32_t epoch_;
  std::uint32_t batch_index_;
  std::int32_t first_ = 0;  ///< local id of the first node of the frontier
  MiniBatch batch_;
};

NeighborSampler::NeighborSampler(CsrView graph, const Communities& communities, NeighborSamplerOptions options)
    : graph_(graph), options_(std::move(options)), scratch_(std::make_unique<ScratchPool>()) {
  check(options_);
  KITH_CHECK(communities.num_nodes() == graph.num_nodes(), InvalidArgument, "NeighborSampler: the graph has ",
             graph.num_nodes(), " nodes, the communities cover ", communities.num_nodes());
  intra_.resize(static_cast<std::size_t>(graph.num_nodes()));
  tbb::parallel_for(tbb::blocked_range<NodeId>(0, graph.num_nodes(), 4096), [&](const auto& nodes) {
    for (NodeId v = nodes.begin(); v < nodes.end(); ++v) {
      KITH_CHECK(graph.offsets[v + 1] - graph.offsets[v] <= std::numeric_limits<std::int32_t>::max(),
                 InvalidArgument, "NeighborSampler: node ", v, " has more than 2147483647 in-neighbours");
      const auto row = graph.row(v);
      const std::int32_t community = communities.community_of(v);
      const auto begin = std::lower_bound(row.begin(), row.end(), communities.begin(community));
      const auto end = std::lower_bound(begin, row.end(), communities.end(community));
      intra_[v] = {static_cast<std::int32_t>(begin - row.begin()), static_cast<std::int32_t>(end - begin)};
    }
  });
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

MiniBatch NeighborSampler::sample(std::span<const NodeId> roots, std::int32_t epoch,
                                  std::int64_t batch_index) const {
  KITH_CHECK(epoch >= 0 && epoch <= kMaxEpoch, InvalidArgument, "NeighborSampler: epoch must be in [0, ",
             kMaxEpoch, "], got ", epoch);
  KITH_CHECK(batch_index >= 0 && batch_index <= std::numeric_limits<std::uint32_t>::max(), InvalidArgument,
             "NeighborSampler: batch index must be in [0, 2^32), got ", batch_index);
  KITH_CHECK(roots.size() <= static_cast<std::size_t>(graph_.num_nodes()), InvalidArgument,
             "NeighborSampler: got ", roots.size(), " roots of a graph with ", graph_.num_nodes(), " nodes");
  ScratchPool::Lease scratch(*scratch_);
  return BatchBuilder(*this, *scratch, epoch, static_cast<std::uint32_t>(batch_index)).build(roots);
}

}  // namespace kith
