#include "tests/support/cuda/emulated/checked_run.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

namespace kith::emulation {

namespace {

using Image = std::vector<std::byte>;

std::vector<Image> images_of(const std::vector<Allocation*>& allocations) {
  std::vector<Image> images;
  images.reserve(allocations.size());
  for (const Allocation* allocation : allocations) {
    images.emplace_back(allocation->data(), allocation->data() + allocation->size());
  }
  return images;
}

// Allocations are gone through in pieces, since most of a large one is all fresh or not at all.
constexpr std::size_t kPieceBytes = 1024;

enum class Freshness : std::uint8_t { none, some, all };

struct Piece {
  std::size_t begin;
  std::size_t end;
  Freshness freshness;
};

Piece piece_at(const Allocation& allocation, std::size_t begin) {
  const std::size_t end = std::min(begin + kPieceBytes, allocation.size());
  if (allocation.fresh.empty() || std::memchr(&allocation.fresh[begin], 1, end - begin) == nullptr) {
    return {begin, end, Freshness::none};
  }
  const bool is_all = std::memchr(&allocation.fresh[begin], 0, end - begin) == nullptr;
  return {begin, end, is_all ? Freshness::all : Freshness::some};
}

// The bytes that nobody has written, to `pattern`.
void paint_fresh(Allocation& allocation, Pattern pattern) {
  for (std::size_t begin = 0; begin < allocation.fresh.size(); begin += kPieceBytes) {
    const Piece piece = piece_at(allocation, begin);
    if (piece.freshness == Freshness::all) {
      paint(allocation.data() + begin, piece.end - begin, pattern);
    }
    for (std::size_t i = begin; i < piece.end && piece.freshness == Freshness::some; ++i) {
      if (allocation.fresh[i] != 0) {
        allocation.data()[i] = pattern_byte(pattern, i);
      }
    }
  }
}

// Whether two runs have left a piece alone: all fresh before, and each left its own pattern.
bool is_still_fresh(const Allocation& allocation, const Piece& piece, const Image& first, Pattern last) {
  return piece.freshness == Freshness::all &&
         holds_pattern(&first[piece.begin], piece.end - piece.begin, Pattern::first) &&
         holds_pattern(allocation.data() + piece.begin, piece.end - piece.begin, last);
}

// The same of one byte: whatever somebody writes there cannot be both.
bool is_still_fresh(const Allocation& allocation, std::size_t k, const Image& first, Pattern last) {
  return !allocation.fresh.empty() && allocation.fresh[k] != 0 && first[k] == pattern_byte(Pattern::first, k) &&
         allocation.data()[k] == pattern_byte(last, k);
}

struct Runs {
  Memory& memory;
  std::vector<Allocation*> allocations;
  std::vector<Image> before;
  const std::function<void(const Order&)>& body;

  void run(const Order& order) {
    for (std::size_t i = 0; i < allocations.size(); ++i) {
      Allocation& allocation = *allocations[i];
      if (allocation.size() > 0) {
        std::memcpy(allocation.data(), before[i].data(), allocation.size());
      }
      paint_fresh(allocation, order.pattern);
      allocation.memory.paint_guards(order.pattern);
    }
    body(order);
    memory.check_guards();
  }
};

const char* order_name(const Order& order) {
  return order.number == 0 ? "ascending" : order.number == 1 ? "descending" : "shuffled";
}

// Where two runs differ: is it their order, or what they found in memory that nobody wrote?
[[noreturn]] void report_difference(Runs& runs, std::size_t index, std::size_t offset, const Order& order) {
  const Allocation& allocation = *runs.allocations[index];
  const std::byte found = allocation.data()[offset];
  runs.run({.number = order.number, .pattern = Pattern::first});
  const bool is_of_pattern = allocation.data()[offset] != found;
  if (is_of_pattern) {
    violate("uninitialised: ", allocation.name(), ", offset ", offset,
            ", depends on memory that nobody wrote or that is out of bounds");
  }
  violate("race: ", allocation.name(), ", offset ", offset, ", differs between threads in ascending and in ",
          order_name(order), " order");
}

// Compares the run that has just been with the first one.
void compare(Runs& runs, const std::vector<Image>& first, const Order& order) {
  for (std::size_t i = 0; i < runs.allocations.size(); ++i) {
    const Allocation& allocation = *runs.allocations[i];
    for (std::size_t begin = 0; begin < allocation.size(); begin += kPieceBytes) {
      const Piece piece = piece_at(allocation, begin);
      if (std::memcmp(&first[i][begin], allocation.data() + begin, piece.end - begin) == 0 ||
          is_still_fresh(allocation, piece, first[i], order.pattern)) {
        continue;
      }
      for (std::size_t k = begin; k < piece.end; ++k) {
        if (first[i][k] != allocation.data()[k] && !is_still_fresh(allocation, k, first[i], order.pattern)) {
          report_difference(runs, i, k, order);
        }
      }
    }
  }
}

// What of an allocation is fresh still, and holds the first pattern again.
void settle_fresh(Allocation& allocation, const Image& first, Pattern last) {
  bool has_fresh = false;
  for (std::size_t begin = 0; begin < allocation.fresh.size(); begin += kPieceBytes) {
    const Piece piece = piece_at(allocation, begin);
    if (piece.freshness == Freshness::none) {
      continue;
    }
    const bool stays = is_still_fresh(allocation, piece, first, last);
    has_fresh = has_fresh || stays;
    for (std::size_t k = begin; k < piece.end && !stays; ++k) {
      allocation.fresh[k] = is_still_fresh(allocation, k, first, last) ? 1 : 0;
      has_fresh = has_fresh || allocation.fresh[k] != 0;
    }
  }
  if (has_fresh) {
    paint_fresh(allocation, Pattern::first);
  } else {
    allocation.fresh = {};
  }
}

}  // namespace

std::vector<unsigned> Order::sequence(unsigned count) const {
  std::vector<unsigned> result(count);
  std::iota(result.begin(), result.end(), 0U);
  if (number == 1) {
    std::reverse(result.begin(), result.end());
  } else if (number > 1) {
    std::shuffle(result.begin(), result.end(), std::mt19937(static_cast<unsigned>(number)));
  }
  return result;
}

void run_checked(Memory& memory, const Activity& activity, int num_orders,
                 const std::function<void(const Order&)>& body) {
  struct Current {
    explicit Current(const Activity& activity) { current_activity = &activity; }
    ~Current() { current_activity = nullptr; }
  } current(activity);
  const DeviceAccess access(memory);
  Runs runs{.memory = memory, .allocations = memory.live(), .before = {}, .body = body};
  runs.before = images_of(runs.allocations);
  runs.run({.number = 0, .pattern = Pattern::first});
  const std::vector<Image> first = images_of(runs.allocations);
  for (int number = 1; number < num_orders; ++number) {
    const Order order{.number = number, .pattern = Pattern::second};
    runs.run(order);
    compare(runs, first, order);
  }
  for (std::size_t i = 0; i < runs.allocations.size(); ++i) {
    settle_fresh(*runs.allocations[i], first[i], num_orders == 1 ? Pattern::first : Pattern::second);
  }
}

}  // namespace kith::emulation
