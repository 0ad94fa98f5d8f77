#include "train/staging/file_reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <random>
#include <vector>

#include "graph/errors.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

constexpr std::size_t kFileBytes = 777'777;  // ends in the middle of a sector

class FileReaders : public ::testing::TestWithParam<std::string> {
 protected:
  FileReaders() {
    std::mt19937_64 random(1);
    for (std::byte& byte : bytes_) byte = static_cast<std::byte>(random());
    std::ofstream(path_, std::ios::binary).write(reinterpret_cast<const char*>(bytes_.data()), kFileBytes);
  }

  std::unique_ptr<FileReader> open(bool is_direct = true, std::int32_t queue_depth = 8) {
    const FileReaderOptions options{.queue_depth = queue_depth, .is_direct = is_direct};
    return GetParam() == "pread" ? make_pread_reader(path_, options) : make_uring_reader(path_, options);
  }

  test::TempFolder folder_;
  std::string path_ = (folder_.path() / "file").string();
  std::vector<std::byte> bytes_ = std::vector<std::byte>(kFileBytes);
};

TEST_P(FileReaders, ReadAnyPiecesOfAFile) {
  for (const bool is_direct : {true, false}) {
    const auto reader = open(is_direct);
    if (!reader) GTEST_SKIP() << "no io_uring here";
    EXPECT_EQ(reader->name(), GetParam());
    std::mt19937_64 random(2);
    for (int round = 0; round < 5; ++round) {
      std::vector<std::vector<std::byte>> out;
      std::vector<FileRead> reads;
      const std::vector<std::pair<std::size_t, std::size_t>> edges{
          {0, 1}, {0, kFileBytes}, {kFileBytes - 1, 1}, {4095, 2}, {4096, 4096}, {500, 200'000}, {7, 0}};
      for (int i = 0; i < 60; ++i) {
        std::size_t offset = random() % kFileBytes,
                    size = random() % std::min<std::size_t>(9000, kFileBytes - offset);
        if (i < static_cast<int>(edges.size())) std::tie(offset, size) = edges[i];
        out.emplace_back(size);
        reads.push_back({.offset = offset, .into = {}});
      }
      for (std::size_t i = 0; i < reads.size(); ++i) reads[i].into = out[i];
      reader->read(reads);
      for (std::size_t i = 0; i < reads.size(); ++i) {
        EXPECT_TRUE(std::equal(out[i].begin(), out[i].end(),
                               bytes_.begin() + static_cast<std::ptrdiff_t>(reads[i].offset)));
      }
    }
    reader->read({});
  }
}

TEST_P(FileReaders, SayWhenTheFileEndsTooSoonAndGoOn) {
  const auto reader = open();
  if (!reader) GTEST_SKIP() << "no io_uring here";
  std::vector<std::vector<std::byte>> out(40, std::vector<std::byte>(5000));
  std::vector<FileRead> reads;
  for (std::size_t i = 0; i < out.size(); ++i) {
    reads.push_back({.offset = i == 20 ? kFileBytes - 100 : 100 * i, .into = out[i]});
  }
  EXPECT_THROW(reader->read(reads), IoError);
  std::vector<std::byte> fine(5000);
  const FileRead again{.offset = 12345, .into = fine};
  reader->read(std::span(&again, 1));
  EXPECT_TRUE(std::equal(fine.begin(), fine.end(), bytes_.begin() + 12345));
}

INSTANTIATE_TEST_SUITE_P(Ways, FileReaders, ::testing::Values("io_uring", "pread"),
                         [](const auto& info) { return info.param; });

TEST(FileReader, FallsBackAndRefuses) {
  const test::TempFolder folder;
  const std::string path = (folder.path() / "file").string();
  EXPECT_THROW(open_file_reader(path), IoError);
  std::ofstream(path) << "abc";
  const auto reader = open_file_reader(path);
  std::vector<std::byte> bytes(3);
  const FileRead read{.offset = 0, .into = bytes};
  reader->read(std::span(&read, 1));
  EXPECT_EQ(std::memcmp(bytes.data(), "abc", 3), 0);
  EXPECT_THROW(open_file_reader(path, {.queue_depth = 0}), InvalidArgument);
}

}  // namespace
}  // namespace kith
