#include "partition/partition_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "graph/errors.h"
#include "partition/hierarchy.h"
#include "tests/partition/partition_graphs.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

using testing::HasSubstr;

const std::vector<std::int32_t> kParts{0, 0, 1, 1};

TEST(PartitionCache, GivesBackWhatWasStored) {
  const test::TempFolder folder;
  const std::string dir = folder.file("deep/cache");
  const std::string key = partition_key(test::path(4).view(), {});
  EXPECT_EQ(load_partition(dir, key, 4), std::nullopt);
  store_partition(dir, key, kParts);
  EXPECT_EQ(load_partition(dir, key, 4), kParts);
  EXPECT_EQ(load_partition(dir, key, 5), std::nullopt);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir), {}), 1) << "no temporary file is left";
}

TEST(PartitionCache, KeyDependsOnTheGraphAndOnWhatChangesTheResult) {
  const CsrGraph graph = test::path(4);
  std::set<std::string> keys{partition_key(graph.view(), {})};
  EXPECT_EQ(keys.begin()->size(), 32U);
  keys.insert(partition_key(test::path(5).view(), {}));
  keys.insert(partition_key(test::star(4).view(), {}));
  keys.insert(partition_key(graph.view(), {.method = PartitionMethod::lpa}));
  keys.insert(partition_key(graph.view(), {.num_communities = 2}));
  keys.insert(partition_key(graph.view(), {.community_size = 2}));
  keys.insert(partition_key(graph.view(), {.imbalance = 0.5}));
  keys.insert(partition_key(graph.view(), {.seed = 1}));
  EXPECT_EQ(keys.size(), 8U);
  EXPECT_EQ(partition_key(graph.view(), {}), partition_key(graph.view(), {.cache_dir = "elsewhere"}));
}

TEST(PartitionCache, IgnoresEveryDamagedFile) {
  const test::TempFolder folder;
  const std::string key = partition_key(test::path(4).view(), {});
  store_partition(folder.path().string(), key, kParts);
  const std::string path = folder.file(key + ".parts");
  const std::string whole = test::read_bytes(path);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] ^= 4;
    test::write_bytes(path, damaged);
    EXPECT_EQ(load_partition(folder.path().string(), key, 4), std::nullopt) << "byte " << i;
    test::write_bytes(path, whole.substr(0, i));
    EXPECT_EQ(load_partition(folder.path().string(), key, 4), std::nullopt) << "cut at " << i;
  }
  test::write_bytes(path, whole + "x");
  EXPECT_EQ(load_partition(folder.path().string(), key, 4), std::nullopt);
  test::write_bytes(path, whole);
  EXPECT_EQ(load_partition(folder.path().string(), key, 4), kParts);
}

TEST(PartitionCache, RefusesNumbersOutOfRange) {
  const test::TempFolder folder;
  const std::string key(32, 'a');
  store_partition(folder.path().string(), key, {0, 0, -1, 1});
  EXPECT_EQ(load_partition(folder.path().string(), key, 4), std::nullopt);
}

TEST(PartitionCache, IsUsedByFindHierarchyAndSurvivesDamage) {
  const test::TempFolder folder;
  const CsrGraph graph = test::two_triangles();
  std::vector<std::string> said;
  PartitionOptions options{.num_communities = 2, .cache_dir = folder.path().string()};
  options.progress = [&](const std::string& line) { said.push_back(line); };
  const Hierarchy first = find_hierarchy(graph.view(), options);
  EXPECT_THAT(said.front(), HasSubstr("METIS"));

  said.clear();
  const Hierarchy second = find_hierarchy(graph.view(), options);
  EXPECT_THAT(said.front(), HasSubstr("found in the cache"));
  EXPECT_EQ(second.old_of_new, first.old_of_new);
  EXPECT_TRUE(std::ranges::equal(second.levels[0].offsets(), first.levels[0].offsets()));

  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    test::write_bytes(entry.path().string(), "rubbish");
  }
  said.clear();
  EXPECT_EQ(find_hierarchy(graph.view(), options).old_of_new, first.old_of_new);
  EXPECT_THAT(said.front(), HasSubstr("METIS"));
}

TEST(PartitionCache, ThatCannotBeWrittenCostsOnlyALine) {
  const test::TempFolder folder;
  test::write_bytes(folder.file("file"), "");
  std::vector<std::string> said;
  PartitionOptions options{.num_communities = 2, .cache_dir = folder.file("file") + "/below"};
  options.progress = [&](const std::string& line) { said.push_back(line); };
  EXPECT_EQ(find_hierarchy(test::two_triangles().view(), options).levels[0].num_communities(), 2);
  EXPECT_THAT(said, testing::Contains(HasSubstr("not cached")));
  EXPECT_NE(test::error_of<IoError>([&] { store_partition(options.cache_dir, std::string(32, 'a'), kParts); }),
            "");
}

}  // namespace
}  // namespace kith
