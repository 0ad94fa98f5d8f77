#include "train/checkpoint/checkpoint_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"
#include "tests/train/checkpoint/some_checkpoint.h"
#include "train/checkpoint/checkpoint_writer.h"

namespace kith {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Checkpoint at_batch(std::int64_t batch) {
  Checkpoint checkpoint = test::some_checkpoint();
  checkpoint.next_batch = batch;
  return checkpoint;
}

class Folder : public testing::Test {
 protected:
  Folder() { folder.make(); }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(temp.path()))
      all.push_back(entry.path().filename());
    std::sort(all.begin(), all.end());
    return all;
  }

  std::optional<Checkpoint> newest() {
    return folder.read_newest([&](const std::string& path, const std::string&) {
      damaged.push_back(std::filesystem::path(path).filename());
    });
  }

  test::TempFolder temp;
  CheckpointFolder folder{temp.path().string(), 2};
  std::vector<std::string> damaged;
};

TEST_F(Folder, KeepsTheLatestByNumberNotByName) {
  for (const std::int64_t batch : {8, 9, 10, 11}) folder.write(at_batch(batch));
  EXPECT_THAT(names(), ElementsAre("epoch-1-batch-10.ckpt", "epoch-1-batch-11.ckpt"));
  EXPECT_EQ(newest()->next_batch, 11);
  EXPECT_TRUE(damaged.empty());
}

TEST_F(Folder, FallsBackToTheOneBeforeADamagedOne) {
  folder.write(at_batch(1));
  const std::string path = folder.write(at_batch(2));
  test::write_bytes(path, test::read_bytes(path).substr(0, 100));
  EXPECT_EQ(newest()->next_batch, 1);
  EXPECT_THAT(damaged, ElementsAre("epoch-1-batch-2.ckpt"));
  set_aside(path);
  EXPECT_THAT(names(), ElementsAre("epoch-1-batch-1.ckpt", "epoch-1-batch-2.ckpt.damaged"));
}

TEST_F(Folder, RefusesToStartAnewWhereAllAreDamaged) {
  for (const std::int64_t batch : {1, 2}) test::write_bytes(folder.write(at_batch(batch)), "x");
  EXPECT_THAT(test::error_of<IoError>([&] { newest(); }), HasSubstr("none of 2 checkpoints can be read"));
}

TEST_F(Folder, IgnoresOtherNamesAndRemovesWhatAKilledRunLeft) {
  for (const char* name : {"epoch-1-batch-2.ckpt.tmp", "epoch-1.ckpt", "epoch-x-batch-1.ckpt", "notes.tmp"}) {
    test::write_bytes(temp.file(name), "x");
  }
  EXPECT_TRUE(folder.list().empty());
  EXPECT_FALSE(newest());
  folder.remove_leftovers();
  EXPECT_THAT(names(), ElementsAre("epoch-1.ckpt", "epoch-x-batch-1.ckpt", "notes.tmp"));
}

TEST_F(Folder, IsEmptyWhereThereIsNone) {
  EXPECT_TRUE(CheckpointFolder(temp.file("none")).list().empty());
  EXPECT_THROW(CheckpointFolder(temp.file("x"), 0), InvalidArgument);
}

TEST_F(Folder, IsForOneWriterAtATime) {
  std::optional<FolderLock> lock(temp.path().string());
  EXPECT_THAT(test::error_of<InvalidArgument>([&] { FolderLock(temp.path().string()); }),
              HasSubstr("another run"));
  lock.reset();
  EXPECT_NO_THROW(FolderLock(temp.path().string()));
}

/// A limit on the size of files is the full disk that needs no privileges.
class FullDisk {
 public:
  FullDisk() {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{.rlim_cur = 500, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, SIG_DFL);
  }

 private:
  rlimit before_{};
};

TEST_F(Folder, AFullDiskKeepsThePreviousOneAndLeavesNothingBehind) {
  folder.write(at_batch(1));
  {
    const FullDisk full;
    EXPECT_THAT(test::error_of<EnvironmentError>([&] { folder.write(at_batch(2)); }),
                HasSubstr("not enough disk space"));
  }
  EXPECT_THAT(names(), ElementsAre("epoch-1-batch-1.ckpt"));
  EXPECT_EQ(newest()->next_batch, 1);
}

TEST_F(Folder, TheWriterTellsFailuresAndGoesOn) {
  std::vector<std::string> problems;
  {
    CheckpointWriter writer(folder, [&](const std::string& problem) { problems.push_back(problem); });
    writer.write(at_batch(1));
    writer.wait();
    {
      const FullDisk full;
      writer.write(at_batch(2));
      writer.wait();
    }
    EXPECT_EQ(writer.num_written(), 1);
    EXPECT_THAT(writer.last_path(), HasSubstr("batch-1"));
    writer.write(at_batch(3));
  }  // the destructor finishes what was begun
  EXPECT_EQ(problems.size(), 1U);
  EXPECT_EQ(newest()->next_batch, 3);
}

}  // namespace
}  // namespace kith
