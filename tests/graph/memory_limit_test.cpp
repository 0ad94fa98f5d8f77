#include "graph/memory_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "graph/errors.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

/// A file system of its own, in which /proc and /sys say what a test wants.
class MemoryLimit : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path full = folder_.path() / path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text;
  }

  std::optional<std::int64_t> available() const { return available_memory(folder_.path().string() + "/"); }

  test::TempFolder folder_;
};

TEST_F(MemoryLimit, IsWhatTheSystemCallsAvailableAndFreeSwap) {
  EXPECT_EQ(available(), std::nullopt) << "nothing says anything";
  write("proc/meminfo", "MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:  4096 kB\nSwapFree:  1024 kB\n");
  EXPECT_EQ(available(), 5 * kMiB);
}

TEST_F(MemoryLimit, IsNoMoreThanTheControlGroupAllows) {
  write("proc/meminfo", "MemAvailable:  102400 kB\n");
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/memory.max", "max\n");
  write("sys/fs/cgroup/a/b/memory.current", "1048576\n");
  EXPECT_EQ(available(), 100 * kMiB);
  write("sys/fs/cgroup/a/b/memory.max", "8388608\n");
  EXPECT_EQ(available(), 7 * kMiB);
  write("sys/fs/cgroup/a/memory.max", "6291456\n");  // a group around it
  write("sys/fs/cgroup/a/memory.current", "5242880\n");
  EXPECT_EQ(available(), 1 * kMiB);
  write("sys/fs/cgroup/a/memory.current", "9999999\n");
  EXPECT_EQ(available(), 0);
}

TEST_F(MemoryLimit, KnowsTheFirstVersionOfControlGroupsToo) {
  write("proc/meminfo", "MemAvailable:  102400 kB\n");
  write("proc/self/cgroup", "12:cpu,cpuacct:/x\n4:memory:/job\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "4194304");
  write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "1048576");
  EXPECT_EQ(available(), 3 * kMiB);
}

TEST_F(MemoryLimit, OddFilesSayNothing) {
  write("proc/meminfo", "");
  write("proc/self/cgroup", "nonsense\n0:\n::\n");
  EXPECT_EQ(available(), std::nullopt);
}

TEST(RequireMemory, NamesBothNumbersAndTheRemedy) {
  EXPECT_NO_THROW(require_memory(5 * kMiB, "a", "b", 5 * kMiB));
  EXPECT_NO_THROW(require_memory(5 * kMiB, "a", "b", std::nullopt));
  try {
    require_memory(5 * kMiB + 1, "METIS", "--method lpa needs less", 3 * kMiB);
    FAIL();
  } catch (const EnvironmentError& error) {
    EXPECT_STREQ(error.what(),
                 "METIS needs about 6 MiB of memory, 3 MiB are available; --method lpa needs less");
  }
}

TEST(RequireMemory, ThisMachineHasSome) {
  const std::optional<std::int64_t> available = available_memory();
  ASSERT_TRUE(available);
  EXPECT_GT(*available, kMiB);
}

}  // namespace
}  // namespace kith
