#include "graph/append_file.h"

#include <gtest/gtest.h>

#include <numeric>

#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

std::vector<std::int64_t> numbers(std::size_t count) {
  std::vector<std::int64_t> values(count);
  std::iota(values.begin(), values.end(), 7);
  return values;
}

TEST(AppendFile, HoldsWhatWasAddedWhateverTheBuffer) {
  const test::TempFolder folder;
  const std::vector<std::int64_t> values = numbers(1000);
  FileSeal first;
  for (const std::size_t buffer : {0, 1, 8, 20, 1 << 20}) {
    const std::string path = folder.file("values");
    AppendFile file(path, buffer);
    file.add_values(std::span(values).first(3));
    file.add_values(std::span(values).subspan(3));
    const FileSeal seal = file.seal();
    EXPECT_EQ(seal.num_bytes, 8000U);
    EXPECT_EQ(seal, seal_of(path));
    EXPECT_EQ(seal.checksum, checksum_of(std::as_bytes(std::span(values))));
    EXPECT_EQ(read_values<std::int64_t>(path, seal), values);
    FileCursor cursor(path, buffer);
    for (const std::int64_t value : values) ASSERT_EQ(cursor.next<std::int64_t>(), value);
    EXPECT_NE(test::error_of<IoError>([&] { cursor.next<std::int64_t>(); }), "");
  }
}

TEST(AppendFile, HasAnotherSealWhenABitHasChanged) {
  const test::TempFolder folder;
  const std::string path = folder.file("values");
  const FileSeal seal = write_values(path, std::span<const std::int64_t>(numbers(100)));
  std::string bytes = test::read_bytes(path);
  bytes[400] ^= 1;
  test::write_bytes(path, bytes);
  EXPECT_NE(seal_of(path), seal);
  EXPECT_EQ(seal_of(path).num_bytes, seal.num_bytes);
}

TEST(AppendFile, VisitsAFileInPieces) {
  const test::TempFolder folder;
  test::write_bytes(folder.file("text"), "abcdefgh");
  std::string pieces;
  for_each_chunk(folder.file("text"), 3, [&](std::span<const std::byte> chunk) {
    for (const std::byte byte : chunk) pieces += static_cast<char>(byte);
    pieces += '|';
  });
  EXPECT_EQ(pieces, "abc|def|gh|");
  EXPECT_THROW(for_each_chunk(folder.file("none"), 3, [](std::span<const std::byte>) {}), IoError);
}

}  // namespace
}  // namespace kith
