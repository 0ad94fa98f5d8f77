// Samplers that are wrong on purpose, each in a way that a real one has been or easily could be. A law that
// does not catch the one it is there for is no test.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "sampler/rng.h"
#include "tests/sampler/law.h"

namespace kith::test::wrong {

using Positions = std::vector<std::int32_t>;

using Order = std::vector<std::int32_t>;

inline Order ascending(std::int32_t size) {
  Order order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

/// Uniform in [0, bound) but for a bias below 2^-40.
inline std::int32_t below(std::int32_t bound, std::mt19937_64& bits) {
  return static_cast<std::int32_t>(bits() % static_cast<std::uint64_t>(bound));
}

inline bool contains(const Positions& positions, std::int32_t position) {
  return std::find(positions.begin(), positions.end(), position) != positions.end();
}

/// Appends `count` of [first, first + size) that are not there yet, by Floyd's method; draw_below(n) is to be
/// uniform in [0, n).
template <typename DrawBelow>
void append_subset(std::int32_t first, std::int32_t size, std::int32_t count, const DrawBelow& draw_below,
                   Positions& out) {
  for (std::int32_t last = size - count; last < size; ++last) {
    const std::int32_t drawn = first + draw_below(last + 1);
    out.push_back(contains(out, drawn) ? first + last : drawn);
  }
}

/// A Draw out of fill(bits, positions), which fills in one trial.
template <typename Fill>
Draw make_draw(const Fill& fill) {
  return [fill, bits = std::mt19937_64(1), positions = std::make_shared<Positions>()](std::int64_t) mutable {
    positions->clear();
    fill(bits, *positions);
    return Drawn{.positions = *positions};
  };
}

/// 16 random bits modulo the range, as one known library draws: the front of a row of 3,000 is favoured by 5 %,
/// that of one of 50,000 twofold, and what lies behind 65,536 is never drawn.
inline Draw modulo_of_16_bits(const Row& row, std::int32_t fanout) {
  return make_draw([=](std::mt19937_64& bits, Positions& out) {
    append_subset(
        0, row.degree, fanout, [&](std::int32_t n) { return static_cast<std::int32_t>((bits() >> 48) % n); },
        out);
  });
}

/// Draws with replacement, drops what came twice, and makes up for it from the front of the row.
inline Draw topped_up_from_the_front(const Row& row, std::int32_t fanout) {
  return make_draw([=](std::mt19937_64& bits, Positions& out) {
    for (std::int32_t i = 0; i < fanout; ++i) {
      const std::int32_t drawn = below(row.degree, bits);
      if (!contains(out, drawn)) out.push_back(drawn);
    }
    for (std::int32_t next = 0; static_cast<std::int32_t>(out.size()) < fanout; ++next) {
      if (!contains(out, next)) out.push_back(next);
    }
  });
}

/// Those with the smallest variates, of 10 bits: of equal ones, the first in the row.
inline Draw smallest_of_10_bits(const Row& row, std::int32_t fanout) {
  return make_draw([=](std::mt19937_64& bits, Positions& out) {
    std::vector<std::pair<std::uint64_t, std::int32_t>> ranked;
    for (std::int32_t i = 0; i < row.degree; ++i) ranked.emplace_back(bits() >> 54, i);
    std::nth_element(ranked.begin(), ranked.begin() + fanout, ranked.end());
    for (std::int32_t i = 0; i < fanout; ++i) out.push_back(ranked[static_cast<std::size_t>(i)].second);
  });
}

/// A random start and the neighbours that follow it: everyone has the right chance, pairs have not.
inline Draw consecutive(const Row& row, std::int32_t fanout) {
  return make_draw([=](std::mt19937_64& bits, Positions& out) {
    const std::int32_t start = below(row.degree, bits);
    for (std::int32_t i = 0; i < fanout; ++i) out.push_back((start + i) % row.degree);
  });
}

/// Appends num_inside uniform ones of the community, and num_outside of the others.
inline void append_classes(const Row& row, std::int32_t num_inside, std::int32_t num_outside,
                           std::mt19937_64& bits, Positions& out) {
  const auto draw_below = [&](std::int32_t n) { return below(n, bits); };
  append_subset(row.inside_begin, row.num_inside, num_inside, draw_below, out);
  Positions outside;
  append_subset(0, row.num_outside(), num_outside, draw_below, outside);
  for (const std::int32_t i : outside) out.push_back(i < row.inside_begin ? i : i + row.num_inside);
}

/// Draws the side of each neighbour with a fixed chance, as long as there is something left on it.
inline Draw by_fixed_chance(const Row& row, std::int32_t fanout, double chance_inside) {
  return make_draw([=](std::mt19937_64& bits, Positions& out) {
    std::int32_t num_inside = 0, num_outside = 0;
    for (std::int32_t i = 0; i < fanout; ++i) {
      const bool wants_inside = static_cast<double>(bits() >> 11) * 0x1p-53 < chance_inside;
      const bool is_inside = wants_inside ? num_inside < row.num_inside : num_outside == row.num_outside();
      ++(is_inside ? num_inside : num_outside);
    }
    append_classes(row, num_inside, num_outside, bits, out);
  });
}

/// The side with chance p_intra, however many neighbours are on it.
inline Draw side_first(const Row& row, std::int32_t fanout, double p_intra) {
  return by_fixed_chance(row, fanout, p_intra);
}

/// Weights stay as they were before the first draw.
inline Draw weights_not_updated(const Row& row, std::int32_t fanout, double p_intra) {
  const double inside = p_intra * row.num_inside;
  return by_fixed_chance(row, fanout, inside / (inside + (1 - p_intra) * row.num_outside()));
}

/// The right neighbours, every one with the same weight.
inline Draw unweighted(Draw draw) {
  return [draw = std::move(draw)](std::int64_t trial) { return Drawn{.positions = draw(trial).positions}; };
}

/// Uniform draws from one generator a place, which is what key(place) says.
template <typename Key>
PlacedDraw draw_by_key(const Row& row, std::int32_t fanout, const Key& key) {
  return [=](const Place& place) {
    Rng rng(static_cast<std::uint64_t>(key(place)), 0, 0, 0, std::uint8_t{0});
    const auto draw_below = [&](std::int32_t n) {
      return static_cast<std::int32_t>(rng.bounded32(static_cast<std::uint32_t>(n)));
    };
    Positions out;
    append_subset(0, row.degree, fanout, draw_below, out);
    return out;
  };
}

/// What a place is told apart by.
enum class Part { epoch, batch, hop, node };

/// Random numbers that leave one part of the place out.
inline PlacedDraw forgetful(const Row& row, std::int32_t fanout, Part forgotten) {
  return draw_by_key(row, fanout, [=](const Place& place) {
    const auto part = [&](Part which, std::int64_t value) { return which == forgotten ? 0 : value; };
    std::int64_t key = static_cast<std::int64_t>(place.seed);
    key = key << 12 | part(Part::epoch, place.epoch);
    key = key << 12 | part(Part::batch, place.batch);
    return key << 2 | part(Part::hop, place.hop) << 1 | part(Part::node, place.node);
  });
}

/// Random numbers keyed by a sum, as `seed + epoch + batch` is in many a data loader.
inline PlacedDraw summed(const Row& row, std::int32_t fanout) {
  return draw_by_key(row, fanout, [](const Place& place) {
    return static_cast<std::int64_t>(place.seed) + place.epoch + place.batch + place.hop + 1000 * place.node;
  });
}

/// Sattolo's algorithm, a Fisher-Yates shuffle that is off by one: nothing ever stays in its place.
inline Order never_in_place(std::int32_t size, std::mt19937_64& bits) {
  Order order = ascending(size);
  for (std::int32_t i = size - 1; i > 0; --i) std::swap(order[i], order[below(i, bits)]);
  return order;
}

/// Exchanges each with any other, not only with those that are still to be placed: n^n ways for n! orders.
inline Order exchanged_with_any(std::int32_t size, std::mt19937_64& bits) {
  Order order = ascending(size);
  for (std::int32_t i = 0; i < size; ++i) std::swap(order[i], order[below(size, bits)]);
  return order;
}

/// Sorts by random keys of 16 bits: what gets the same key stays in the order in which it came.
inline Order sorted_by_16_bits(std::int32_t size, std::mt19937_64& bits) {
  std::vector<std::uint16_t> keys(static_cast<std::size_t>(size));
  for (std::uint16_t& key : keys) key = static_cast<std::uint16_t>(bits() >> 48);
  Order order = ascending(size);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int32_t a, std::int32_t b) { return keys[a] < keys[b]; });
  return order;
}

}  // namespace kith::test::wrong
