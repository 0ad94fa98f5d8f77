// Counter-based random numbers: a draw is a pure function of its place, so any number of threads sees the same.
// What draws is constexpr, which is what lets CUDA devices call it too.
#pragma once

#include <array>
#include <cassert>
#include <cstdint>
#include <span>
#include <utility>

namespace kith {

/// What a stream of draws is for; keeps the streams of one seed apart. Values below 64 are the hops of a
/// sampler, 64 to 127 the variates that the nodes of such a hop share.
enum class Purpose : std::uint8_t { community_order = 128, root_order = 129, batch_order = 130, leak = 131 };

inline constexpr std::int32_t kMaxEpoch = (1 << 24) - 1;  ///< the epoch shares a counter word with the purpose

/// Philox4x32-10 (Salmon et al., SC 2011): 128 random bits for each counter.
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                              std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key = {key[0] + 0x9E3779B9, key[1] + 0xBB67AE85};
  }
  return counter;
}

/// One stream of Philox4x32-10. The key is the seed, the counter words are (draw block, node, batch, epoch << 8
/// | purpose); a stream holds 2^34 words. Cheap to make; not thread-safe.
class Rng {
 public:
  constexpr Rng(std::uint64_t seed, std::uint32_t node, std::uint32_t batch, std::int32_t epoch,
                std::uint8_t purpose)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
        counter_{0, node, batch, static_cast<std::uint32_t>(epoch) << 8 | purpose} {}

  constexpr Rng(std::uint64_t seed, std::uint32_t node, std::int32_t epoch, Purpose purpose)
      : Rng(seed, node, 0, epoch, static_cast<std::uint8_t>(purpose)) {}

  constexpr std::uint32_t next32() {
    if (next_ == kWords) {
      block_ = philox(counter_, key_);
      ++counter_[0];
      next_ = 0;
    }
    return block_[next_++];
  }

  constexpr std::uint64_t next64() {
    const std::uint64_t low = next32();
    return low | static_cast<std::uint64_t>(next32()) << 32;
  }

  /// Uniform in [0, bound), bound > 0, without bias (Lemire, arXiv 1805.10941).
  constexpr std::uint32_t bounded32(std::uint32_t bound) {
    assert(bound > 0);
    std::uint64_t product = static_cast<std::uint64_t>(next32()) * bound;
    if (static_cast<std::uint32_t>(product) < bound) [[unlikely]] {
      const std::uint32_t threshold = -bound % bound;
      while (static_cast<std::uint32_t>(product) < threshold) {
        product = static_cast<std::uint64_t>(next32()) * bound;
      }
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

  /// True with probability share / total, exactly; 0 <= share <= total < 2^62, total > 0. Compares a uniform
  /// real, read 16 bits at a time, with the quotient: nearly always half a word.
  constexpr bool chance(std::uint64_t share, std::uint64_t total) {
    assert(total > 0 && share <= total);
    if (total >> 48 == 0) [[likely]]
      return is_below<std::uint64_t>(share, total);
    return is_below<Uint128>(share, total);
  }

  /// The same as bounded32 for 64-bit bounds.
  constexpr std::uint64_t bounded64(std::uint64_t bound) {
    assert(bound > 0);
    Uint128 product = static_cast<Uint128>(next64()) * bound;
    if (static_cast<std::uint64_t>(product) < bound) [[unlikely]] {
      const std::uint64_t threshold = -bound % bound;
      while (static_cast<std::uint64_t>(product) < threshold) product = static_cast<Uint128>(next64()) * bound;
    }
    return static_cast<std::uint64_t>(product >> 64);
  }

 private:
  using Uint128 = unsigned __int128;
  static constexpr unsigned kWords = 4;  ///< a block

  /// Half a word; the other half is kept for the next call.
  constexpr std::uint32_t next16() {
    has_half_ = !has_half_;
    if (!has_half_) return half_ >> 16;
    half_ = next32();
    return half_ & 0xFFFF;
  }

  /// Whether a uniform real is below share / total. Without a branch that depends on the answer.
  template <typename Wide>
  constexpr bool is_below(Wide share, Wide total) {
    while (true) {
      share <<= 16;  // the quotient in units of the present digit's last place, times total
      const Wide low = static_cast<Wide>(next16()) * total;
      const bool is_tie = (low < share) & (share - low < total);
      if (!is_tie) [[likely]]
        return low < share;
      share -= low;
    }
  }

  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, kWords> counter_;
  std::array<std::uint32_t, kWords> block_{};
  unsigned next_ = kWords;
  std::uint32_t half_ = 0;  ///< the word that next16 reads
  bool has_half_ = false;   ///< its upper half is still to come
};

/// The streams of all nodes for one purpose: stream(node) draws as node does.
struct RngStream {
  std::uint64_t seed = 0;
  std::uint32_t batch = 0;
  std::int32_t epoch = 0;
  std::uint8_t purpose = 0;

  constexpr Rng operator()(std::uint32_t node) const { return {seed, node, batch, epoch, purpose}; }
  /// The first 64 bits of node's stream.
  constexpr std::uint64_t first64(std::uint32_t node) const { return (*this)(node).next64(); }
};

/// Puts `values` into uniformly random order (Fisher-Yates).
template <typename T>
void shuffle(std::span<T> values, Rng& rng) {
  for (std::size_t i = values.size(); i > 1; --i) {
    std::swap(values[i - 1], values[static_cast<std::size_t>(rng.bounded64(i))]);
  }
}

}  // namespace kith
