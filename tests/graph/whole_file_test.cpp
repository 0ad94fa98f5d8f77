#include "graph/whole_file.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include "graph/errors.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

void replace(const std::string& path, const std::string& a, const std::string& b) {
  const std::array<std::span<const std::byte>, 2> parts{std::as_bytes(std::span(a)),
                                                        std::as_bytes(std::span(b))};
  replace_file(path, parts);
}

TEST(WholeFile, HoldsThePartsOneAfterTheOther) {
  const test::TempFolder temp;
  const std::string path = temp.file("a");
  replace(path, "old", " and longer");
  replace(path, "one", "two");
  EXPECT_EQ(test::read_bytes(path), "onetwo");
  EXPECT_EQ(read_file(path).size(), 6U);
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
}

TEST(WholeFile, IsOldOrNewToWhoeverReadsItMeanwhile) {
  const test::TempFolder temp;
  const std::string path = temp.file("a");
  const std::string half(std::size_t{1} << 20, 'a');
  const std::string other(std::size_t{1} << 20, 'b');
  replace(path, half, half);
  std::atomic<bool> is_done{false};
  std::thread writer([&] {
    for (int i = 0; i < 10; ++i) replace(path, i % 2 == 0 ? other : half, i % 2 == 0 ? other : half);
    is_done = true;
  });
  do {
    const std::string seen = test::read_bytes(path);
    EXPECT_TRUE(seen == half + half || seen == other + other) << seen.size() << " bytes";
  } while (!is_done && !testing::Test::HasFailure());
  writer.join();
}

TEST(WholeFile, StaysAsItWasIfTheNewOneCannotTakeItsPlace) {
  const test::TempFolder temp;
  std::filesystem::create_directory(temp.file("folder"));
  test::write_bytes(temp.file("folder") + "/x", "x");
  EXPECT_THROW(replace(temp.file("folder"), "a", "b"), IoError);
  EXPECT_FALSE(std::filesystem::exists(temp.file("folder.tmp")));
  EXPECT_THROW(replace(temp.file("none/a"), "a", "b"), IoError);
}

TEST(WholeFile, IsARegularFile) {
  const test::TempFolder temp;
  EXPECT_THROW(read_file(temp.file("none")), IoError);
  EXPECT_THROW(read_file(temp.path().string()), IoError);
  test::write_bytes(temp.file("empty"), "");
  EXPECT_TRUE(read_file(temp.file("empty")).empty());
}

}  // namespace
}  // namespace kith
