#include "datasets/work_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

class WorkFolderTest : public ::testing::Test {
 protected:
  std::string output() const { return folder.file("out"); }
  std::string kept(const std::string& name) const { return folder.file("out.prepare/" + name); }

  WorkFolder::Say note() {
    return [this](const std::string& line) { lines.push_back(line); };
  }

  /// Finishes stage "clean" with one file of three values.
  void make_stage() {
    WorkFolder work(output(), {});
    const std::vector<std::int32_t> values{1, 2, 3};
    StageRecord record{{{"edges", 7}}, {}};
    record.files["rows"] = write_values(work.file("clean", "rows"), std::span<const std::int32_t>(values));
    work.save("clean", identity, record);
  }

  test::TempFolder folder;
  const Json identity{{"source", "a"}, {"--seed", 3}};
  std::vector<std::string> lines;
};

TEST_F(WorkFolderTest, GivesAFinishedStageBack) {
  make_stage();
  WorkFolder work(output(), note());
  const std::optional<StageRecord> record = work.load("clean", identity);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->facts["edges"], 7);
  EXPECT_EQ(record->files.at("rows").num_bytes, 12U);
  EXPECT_FALSE(work.load("renumber", identity));
  EXPECT_GT(work.kept_bytes(), 12);
  EXPECT_TRUE(lines.empty());
}

TEST_F(WorkFolderTest, DropsAStageOfAnotherIdentityAndNamesWhatDiffers) {
  make_stage();
  WorkFolder work(output(), note());
  EXPECT_FALSE(work.load("clean", Json{{"source", "a"}, {"--seed", 4}}));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr("stage clean is made anew: it was made with another --seed"));
  EXPECT_FALSE(fs::exists(kept("clean.rows")));
  EXPECT_EQ(work.kept_bytes(), 0);
}

TEST_F(WorkFolderTest, DropsAStageWithAnyBitChanged) {
  for (const char* name : {"clean.rows", "clean.json"}) {
    make_stage();
    const std::string bytes = test::read_bytes(kept(name));
    for (std::size_t place = 0; place < bytes.size(); place += 1 + bytes.size() / 40) {
      make_stage();
      std::string damaged = bytes;
      damaged[place] ^= 4;
      test::write_bytes(kept(name), damaged);
      WorkFolder work(output(), note());
      ASSERT_FALSE(work.load("clean", identity)) << name << ", byte " << place;
    }
    make_stage();
    test::write_bytes(kept(name), bytes.substr(0, bytes.size() - 1));
    EXPECT_FALSE(WorkFolder(output(), note()).load("clean", identity));
    make_stage();
    fs::remove(kept(name));
    EXPECT_FALSE(WorkFolder(output(), note()).load("clean", identity));
  }
}

TEST_F(WorkFolderTest, ClearsUnfinishedFilesAndKeepsThoseOfOthers) {
  make_stage();
  for (const char* name : {"renumber.rows", "runs.simple", "clean.json.tmp", "mine.txt"}) {
    test::write_bytes(kept(name), "x");
  }
  { const WorkFolder work(output(), {}); }
  EXPECT_TRUE(fs::exists(kept("clean.rows")));
  EXPECT_TRUE(fs::exists(kept("mine.txt")));
  EXPECT_FALSE(fs::exists(kept("renumber.rows")));
  EXPECT_FALSE(fs::exists(kept("runs.simple")));
  EXPECT_FALSE(fs::exists(kept("clean.json.tmp")));
}

TEST_F(WorkFolderTest, GoesWhenItIsEmptyOrRemoved) {
  { const WorkFolder work(output(), {}); }
  EXPECT_TRUE(fs::is_empty(folder.path()));
  make_stage();
  {
    WorkFolder work(output(), {});
    work.remove();
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST_F(WorkFolderTest, BelongsToOneRunAtATime) {
  {
    const WorkFolder first(output(), {});
    EXPECT_THAT(test::error_of<InvalidArgument>([&] { const WorkFolder second(output(), {}); }),
                HasSubstr("another kith prepare is writing it"));
    EXPECT_TRUE(fs::exists(first.path()));
    EXPECT_NO_THROW(WorkFolder(folder.file("other"), {}));
  }
  EXPECT_NO_THROW(WorkFolder(output(), {}));
}

TEST_F(WorkFolderTest, RemovesTemporariesOfProcessesThatAreGone) {
  const std::string dead = folder.file(".out.tmp-2000000000"), alive = folder.file(".out.tmp-1"),
                    strange = folder.file(".out.tmp-12x"), other = folder.file(".other.tmp-2000000000");
  for (const std::string& path : {dead, alive, strange, other}) test::write_bytes(path, "x");
  { const WorkFolder work(output(), note()); }
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_TRUE(fs::exists(alive));
  EXPECT_TRUE(fs::exists(strange));
  EXPECT_TRUE(fs::exists(other));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr("removed 1 temporary file"));
}

TEST_F(WorkFolderTest, CannotBeMadeWhereThereIsNoFolder) {
  EXPECT_THAT(test::error_of<IoError>([&] { WorkFolder(folder.file("none/out"), {}); }),
              HasSubstr("none/out: cannot write"));
}

TEST_F(WorkFolderTest, TellsFilesApartBySizeAndTime) {
  const std::string path = folder.file("source.txt");
  test::write_bytes(path, "abc");
  const auto time = fs::last_write_time(path);
  const Json before = identity_of_files(path);
  test::write_bytes(path, "xyz");
  fs::last_write_time(path, time);
  EXPECT_EQ(identity_of_files(path), before);
  fs::last_write_time(path, time + std::chrono::nanoseconds(1000));
  EXPECT_NE(identity_of_files(path), before);
  fs::create_directories(folder.file("data/raw"));
  test::write_bytes(folder.file("data/raw/edge.csv"), "1");
  test::write_bytes(folder.file("data/ind.cora.x"), "1");
  EXPECT_EQ(identity_of_files(folder.file("data")).size(), 2U);
  EXPECT_EQ(identity_of_files(folder.file("data/ind.cora")).size(), 1U);
}

}  // namespace
}  // namespace kith
