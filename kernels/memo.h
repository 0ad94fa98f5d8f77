// What operations derive from the arrays of a graph, kept beside the arrays for the next operation that needs
// it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <typeindex>
#include <utility>
#include <vector>

#include "graph/views.h"

namespace kith {

/// Which rows of the arrays something was derived from, and for what. All blocks of a batch share their arrays.
struct MemoKey {
  const void* offsets = nullptr;
  const void* sources = nullptr;
  std::int64_t num_rows = 0;
  std::int64_t num_edges = 0;
  std::int64_t num_sources = 0;
  std::int64_t variant = 0;  ///< whatever else the derived thing depends on

  bool operator==(const MemoKey&) const = default;

  static MemoKey of(BlockCsrView block, std::int64_t variant = 0) {
    return {.offsets = block.offsets.data(),
            .sources = block.sources.data(),
            .num_rows = block.num_destinations(),
            .num_edges = block.num_edges(),
            .num_sources = block.num_sources,
            .variant = variant};
  }
};

/// Belongs to the owner of the arrays and is destroyed with them, so that nothing in it can outlive what it was
/// derived from: another block at the same address has another memo. The arrays must not change while it lives.
/// Used by the one thread that calls operations.
class Memo {
 public:
  /// What was kept, or null.
  template <typename T>
  T* find(const MemoKey& key) {
    const auto found = std::ranges::find_if(
        entries_, [&](const Entry& entry) { return entry.key == key && entry.type == typeid(T); });
    return found == entries_.end() ? nullptr : static_cast<T*>(found->value.get());
  }

  /// The reference stays valid as long as the memo.
  template <typename T>
  T& keep(const MemoKey& key, T value) {
    auto owned = std::make_unique<T>(std::move(value));
    T& kept = *owned;
    entries_.push_back({.key = key, .type = typeid(T), .value = {owned.release(), [](void* data) {
                                                                   delete static_cast<T*>(data);
                                                                 }}});
    return kept;
  }

 private:
  struct Entry {
    MemoKey key;
    std::type_index type;
    std::unique_ptr<void, void (*)(void*)> value;
  };
  std::vector<Entry> entries_;
};

}  // namespace kith
