#include "kernels/memo.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace kith {
namespace {

TEST(Memo, FindsWhatWasKeptUnderTheSameKeyAndType) {
  Memo memo;
  const MemoKey key{.num_rows = 3};
  EXPECT_EQ(memo.find<int>(key), nullptr);
  int& kept = memo.keep(key, 7);
  memo.keep(key, std::string("seven"));
  memo.keep(MemoKey{.num_rows = 4}, 8);
  EXPECT_EQ(memo.find<int>(key), &kept);
  EXPECT_EQ(*memo.find<int>(key), 7);
  EXPECT_EQ(*memo.find<std::string>(key), "seven");
  EXPECT_EQ(*memo.find<int>(MemoKey{.num_rows = 4}), 8);
  EXPECT_EQ(memo.find<double>(key), nullptr);
}

TEST(Memo, TellsPartsOfTheSameArraysApart) {
  const std::vector<std::int32_t> offsets = {0, 1, 2}, sources = {0, 1, 1};
  const BlockCsrView all{.num_sources = 2, .offsets = offsets, .sources = sources};
  BlockCsrView fewer_rows = all, fewer_edges = all, fewer_sources = all, later = all;
  fewer_rows.offsets = fewer_rows.offsets.first(2);
  fewer_edges.sources = fewer_edges.sources.first(2);
  fewer_sources.num_sources = 1;
  later.offsets = later.offsets.subspan(1);
  for (const BlockCsrView& other : {fewer_rows, fewer_edges, fewer_sources, later}) {
    EXPECT_FALSE(MemoKey::of(all) == MemoKey::of(other));
  }
  EXPECT_FALSE(MemoKey::of(all, 1) == MemoKey::of(all, 2));
  EXPECT_TRUE(MemoKey::of(all, 1) == MemoKey::of(all, 1));
}

TEST(Memo, DestroysWhatItKeepsOnce) {
  const auto counted = std::make_shared<int>(0);
  {
    Memo memo;
    memo.keep(MemoKey{}, counted);
    const Memo moved = std::move(memo);
    EXPECT_EQ(counted.use_count(), 2);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

}  // namespace
}  // namespace kith
