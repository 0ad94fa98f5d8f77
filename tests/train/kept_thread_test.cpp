#include "train/kept_thread.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <latch>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace kith {
namespace {

TEST(KeptThread, RunsWhatComesNextOnTheSameThread) {
  std::set<std::thread::id> threads;
  for (int i = 0; i < 50; ++i) {
    const KeptThread thread([&] { threads.insert(std::this_thread::get_id()); });
  }
  EXPECT_EQ(threads.size(), 1);
  EXPECT_FALSE(threads.contains(std::this_thread::get_id()));
}

TEST(KeptThread, RunsBesideOthers) {
  constexpr int kThreads = 5;
  std::latch all_run(kThreads);  // none of them ends before all have begun
  std::vector<KeptThread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] { all_run.arrive_and_wait(); });
  }
  threads.clear();
  EXPECT_TRUE(all_run.try_wait());
}

TEST(KeptThread, HasReleasedItsWorkWhenItIsWaitedFor) {
  const auto held = std::make_shared<int>(7);
  {
    const KeptThread thread([held] {});
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(KeptThread, RunsInAFork) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer allows no threads in the fork of a process that has some";
#endif
  {
    const KeptThread left_behind([] {});
  }
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);  // a thread of the parent's that is waited for here would never answer
    bool has_run = false;
    {
      const KeptThread thread([&] { has_run = true; });
    }
    _exit(has_run ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace kith
