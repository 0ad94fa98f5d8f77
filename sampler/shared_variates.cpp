#include "sampler/shared_variates.h"

#include <cstddef>

#include "kernels/cpu/multiversion.h"

namespace kith {
namespace {

/// Philox as in rng.h, with one node in each lane of a vector: no arrays, which a compiler does not spread over
/// lanes.
KITH_MULTIVERSION void first_words(const RngStream stream, const NodeId* __restrict nodes, std::size_t count,
                                   std::uint64_t* __restrict out) {
  const auto key0 = static_cast<std::uint32_t>(stream.seed);
  const auto key1 = static_cast<std::uint32_t>(stream.seed >> 32);
  const std::uint32_t last = static_cast<std::uint32_t>(stream.epoch) << 8 | stream.purpose;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t c0 = 0, c1 = static_cast<std::uint32_t>(nodes[i]), c2 = stream.batch, c3 = last;
    std::uint32_t k0 = key0, k1 = key1;
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t a = std::uint64_t{0xD2511F53} * c0;
      const std::uint64_t b = std::uint64_t{0xCD9E8D57} * c2;
      c0 = static_cast<std::uint32_t>(b >> 32) ^ c1 ^ k0;
      c1 = static_cast<std::uint32_t>(b);
      c2 = static_cast<std::uint32_t>(a >> 32) ^ c3 ^ k1;
      c3 = static_cast<std::uint32_t>(a);
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    out[i] = std::uint64_t{c1} << 32 | c0;
  }
}

}  // namespace

void shared_variates(const RngStream& stream, std::span<const NodeId> nodes, std::uint64_t* out) {
  first_words(stream, nodes.data(), nodes.size(), out);
}

}  // namespace kith
