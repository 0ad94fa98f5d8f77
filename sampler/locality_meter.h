// Locality accounts that need the batch before, or the layout of the feature table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "graph/types.h"
#include "sampler/batch.h"

namespace kith {

/// Counts the pages that a batch touches and the input nodes that it shares with the batch before. Feed it the
/// batches of a stream in order; the first one shares nothing. 2 bits a node and 1 a page; a few operations an
/// input node. One thread at a time.
class LocalityMeter {
 public:
  static constexpr std::size_t kPageBytes = 4096;

  /// row_bytes: of the feature table, which starts on a page; 0 = there is none, and no page is touched.
  LocalityMeter(NodeId num_nodes, std::size_t row_bytes)
      : row_bytes_(row_bytes),
        previous_(static_cast<std::size_t>(num_nodes)),
        present_(static_cast<std::size_t>(num_nodes)),
        pages_((static_cast<std::size_t>(num_nodes) * row_bytes + kPageBytes - 1) / kPageBytes) {}

  /// Sets stats.pages and stats.reused_input_nodes. input_nodes: global ids, each once.
  template <typename Id>
  void add(std::span<const Id> input_nodes, BatchStats& stats) {
    stats.pages = 0;
    stats.reused_input_nodes = 0;
    for (const Id id : input_nodes) {
      const auto node = static_cast<std::size_t>(id);
      stats.reused_input_nodes += previous_.has(node) ? 1 : 0;
      present_.set(node);
      for_each_page(node, [&](std::size_t page) {
        stats.pages += pages_.has(page) ? 0 : 1;
        pages_.set(page);
      });
    }
    for (const std::size_t node : previous_nodes_) previous_.clear(node);
    previous_nodes_.assign(input_nodes.begin(), input_nodes.end());
    for (const std::size_t node : previous_nodes_) {
      for_each_page(node, [&](std::size_t page) { pages_.clear(page); });
    }
    std::swap(previous_, present_);
  }

 private:
  /// vector<bool>, but whole words are written: no more than that is needed.
  class Bits {
   public:
    explicit Bits(std::size_t size) : words_(size / 64 + 1) {}
    bool has(std::size_t i) const { return (words_[i / 64] >> (i % 64) & 1) != 0; }
    void set(std::size_t i) { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
    void clear(std::size_t i) { words_[i / 64] = 0; }  ///< and its neighbours: everything is cleared in the end

   private:
    std::vector<std::uint64_t> words_;
  };

  template <typename Body>
  void for_each_page(std::size_t node, const Body& body) const {
    if (row_bytes_ == 0) return;
    const std::size_t last = ((node + 1) * row_bytes_ - 1) / kPageBytes;
    for (std::size_t page = node * row_bytes_ / kPageBytes; page <= last; ++page) body(page);
  }

  std::size_t row_bytes_;
  std::vector<std::size_t> previous_nodes_;
  Bits previous_, present_, pages_;
};

}  // namespace kith
