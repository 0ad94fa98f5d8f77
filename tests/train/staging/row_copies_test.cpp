#include "train/staging/row_copies.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <random>
#include <utility>
#include <vector>

#include "graph/errors.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

constexpr std::size_t kRowBytes = 24;
constexpr std::size_t kNumRows = 3000;

class RowCopyQueues : public ::testing::Test {
 protected:
  RowCopyQueues() {
    std::mt19937_64 random(1);
    for (std::byte& byte : table_) byte = static_cast<std::byte>(random());
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(table_.data()), static_cast<std::streamsize>(table_.size()));
  }

  std::byte* row(std::vector<std::byte>& rows, std::size_t index) { return rows.data() + index * kRowBytes; }
  bool is_row(std::vector<std::byte>& rows, std::size_t index, std::size_t of_table) {
    return std::memcmp(row(rows, index), row(table_, of_table), kRowBytes) == 0;
  }

  test::TempFolder folder_;
  std::string path_ = folder_.file("rows");
  std::vector<std::byte> table_ = std::vector<std::byte>(kNumRows * kRowBytes);
};

TEST_F(RowCopyQueues, WorkAsIfEachBatchWereDoneBeforeTheNextBegins) {
  // Every batch copies a slot out and reads another row into it: it must get what the batch before read.
  RowCopyQueue queue(open_file_reader(path_, {.queue_depth = 3}), kRowBytes);
  std::vector<std::byte> slots(8 * kRowBytes), out(400 * kRowBytes);
  std::vector<std::size_t> in_slot(8);
  std::mt19937 random(2);
  std::vector<std::size_t> expected(400);
  const auto start = [&](std::size_t batch) {
    RowCopies copies;
    for (std::size_t slot = 0; slot < 8; ++slot) {
      const std::size_t place = (batch * 8 + slot) % 400, fresh = random() % kNumRows;
      if (batch > 0) copies.from_memory.push_back({row(slots, slot), row(out, place)});
      expected[place] = in_slot[slot];
      copies.from_file.push_back({0, row(slots, slot)});
      copies.reads.push_back({fresh * kRowBytes, kRowBytes, copies.from_file.size()});
      in_slot[slot] = fresh;
    }
    queue.start(std::move(copies));
  };
  for (std::size_t batch = 0; batch < 3; ++batch) start(batch);
  for (std::size_t batch = 0; batch < 50; ++batch) {
    queue.finish();
    for (std::size_t slot = 0; slot < 8 && batch > 0; ++slot) {
      EXPECT_TRUE(is_row(out, batch * 8 + slot, expected[batch * 8 + slot])) << batch << " " << slot;
    }
    if (batch + 3 < 50) start(batch + 3);
  }
}

TEST_F(RowCopyQueues, CopySeveralRowsOutOfOneRead) {
  RowCopyQueue queue(open_file_reader(path_), kRowBytes);
  std::vector<std::byte> out(3 * kRowBytes);
  RowCopies copies;
  copies.from_file = {{2 * kRowBytes, row(out, 0)}, {0, row(out, 1)}, {2 * kRowBytes, row(out, 2)}};
  copies.reads = {{500 * kRowBytes, 3 * kRowBytes, 3}};
  queue.start(std::move(copies));
  queue.finish();
  EXPECT_TRUE(is_row(out, 0, 502) && is_row(out, 1, 500) && is_row(out, 2, 502));
}

TEST_F(RowCopyQueues, NeedNoFile) {
  RowCopyQueue queue(nullptr, kRowBytes);
  std::vector<std::byte> out(kRowBytes);
  RowCopies copies;
  copies.from_memory = {{row(table_, 7), row(out, 0)}};
  queue.start(std::move(copies));
  queue.finish();
  EXPECT_TRUE(is_row(out, 0, 7));
}

TEST_F(RowCopyQueues, SayWhatWentWrong) {
  RowCopyQueue queue(open_file_reader(path_), kRowBytes);
  std::vector<std::byte> out(kRowBytes);
  RowCopies copies;
  copies.from_file = {{0, row(out, 0)}};
  copies.reads = {{kNumRows * kRowBytes, kRowBytes, 1}};
  queue.start(std::move(copies));
  EXPECT_THROW(queue.finish(), IoError);
  EXPECT_THROW(queue.finish(), IoError);
}

TEST_F(RowCopyQueues, MayGoWhileRowsAreUnderWay) {
  std::vector<std::byte> out(kNumRows * kRowBytes);
  RowCopyQueue queue(open_file_reader(path_), kRowBytes);
  RowCopies copies;
  for (std::size_t i = 0; i < kNumRows; ++i) {
    copies.from_file.push_back({0, row(out, i)});
    copies.reads.push_back({i * kRowBytes, kRowBytes, i + 1});
  }
  queue.start(std::move(copies));
}

}  // namespace
}  // namespace kith
