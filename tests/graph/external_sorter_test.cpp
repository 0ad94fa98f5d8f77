#include "graph/external_sorter.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>

#include "tests/support/temp_folder.h"

namespace kith {
namespace {

struct Pair {
  std::uint32_t key;
  std::uint32_t value;

  bool operator<(const Pair& other) const { return key != other.key ? key < other.key : value < other.value; }
  bool operator==(const Pair&) const = default;
};

constexpr auto kKeepAll = [](const Pair&, const Pair&) { return false; };
constexpr auto kAddUp = [](Pair& kept, const Pair& next) {
  if (kept.key != next.key) return false;
  kept.value += next.value;
  return true;
};

std::vector<Pair> random_pairs(std::size_t count, std::uint32_t num_keys) {
  std::mt19937 bits(static_cast<std::uint32_t>(count));
  std::vector<Pair> pairs(count);
  for (Pair& pair : pairs)
    pair = {static_cast<std::uint32_t>(bits() % num_keys), static_cast<std::uint32_t>(1 + bits() % 5)};
  return pairs;
}

template <typename Fold>
std::vector<Pair> sorted(const std::vector<Pair>& pairs, Scratch& scratch, Fold fold) {
  ExternalSorter<Pair, Fold> sorter(scratch, fold);
  for (const Pair& pair : pairs) sorter.add(pair);
  std::vector<Pair> out;
  sorter.finish([&](std::span<const Pair> some) {
    EXPECT_FALSE(some.empty());
    out.insert(out.end(), some.begin(), some.end());
  });
  return out;
}

// 8 records a run, two runs a merge: 5000 records take some ten levels of merging.
TEST(ExternalSorter, SortsAsMemoryDoesHoweverSmallTheBuffer) {
  const test::TempFolder folder;
  for (const std::size_t count : {0, 1, 8, 9, 16, 17, 5000}) {
    std::vector<Pair> expected = random_pairs(count, 1000);
    for (const std::size_t memory : {1, 1000, 1 << 20}) {
      Scratch scratch{.folder = folder.path().string(), .memory_bytes = memory};
      const std::vector<Pair> got = sorted(expected, scratch, kKeepAll);
      std::vector<Pair> in_memory = expected;
      std::sort(in_memory.begin(), in_memory.end());
      ASSERT_EQ(got, in_memory) << count << " records, " << memory << " bytes";
    }
  }
}

TEST(ExternalSorter, FoldsWhatBelongsTogetherWhereverItLies) {
  const test::TempFolder folder;
  for (const std::uint32_t num_keys : {1U, 7U, 3000U}) {
    const std::vector<Pair> pairs = random_pairs(6000, num_keys);
    std::map<std::uint32_t, std::uint32_t> sums;
    for (const Pair& pair : pairs) sums[pair.key] += pair.value;
    for (const std::size_t memory : {1, 1000, 1 << 20}) {
      Scratch scratch{.folder = folder.path().string(), .memory_bytes = memory};
      const std::vector<Pair> got = sorted(pairs, scratch, kAddUp);
      ASSERT_EQ(got.size(), sums.size());
      for (const Pair& pair : got) ASSERT_EQ(pair.value, sums[pair.key]);
    }
  }
}

TEST(ExternalSorter, CountsWhatItWritesAndLeavesNoName) {
  const test::TempFolder folder;
  Scratch scratch{.folder = folder.path().string(), .memory_bytes = 2 * 80 * sizeof(Pair)};
  ExternalSorter<Pair, decltype(kKeepAll)> sorter(scratch, kKeepAll);
  for (const Pair& pair : random_pairs(160, 50)) sorter.add(pair);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  EXPECT_EQ(scratch.written_bytes, static_cast<std::int64_t>(80 * sizeof(Pair)));
  sorter.finish([](std::span<const Pair>) {});
  EXPECT_EQ(scratch.written_bytes, static_cast<std::int64_t>(160 * sizeof(Pair)));  // two runs, merged at once
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(ExternalSorter, WritesNothingThatFitsInMemory) {
  Scratch scratch{.folder = "/nowhere", .memory_bytes = 1 << 16};
  EXPECT_EQ(sorted(random_pairs(1000, 9), scratch, kKeepAll).size(), 1000U);
  EXPECT_EQ(scratch.written_bytes, 0);
}

}  // namespace
}  // namespace kith
