#include "train/child_processes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "graph/errors.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

std::vector<std::string> shell(const std::string& script) { return {"sh", "-c", script}; }

TEST(ChildProcesses, TellsHowEachChildEnded) {
  const test::TempFolder folder;
  ChildProcesses children;
  const std::map<std::size_t, std::string> scripts = {
      {0, "echo out; echo err >&2"}, {1, "exit 3"}, {2, "kill -9 $$"}, {3, "cat; echo no input"}};
  for (const auto& [id, script] : scripts) {
    children.start(id, "/bin/sh", shell(script), folder.file(std::to_string(id)));
  }
  std::map<std::size_t, ChildExit> ends;
  while (children.num_running() > 0) {
    const auto ended = children.wait();
    ASSERT_TRUE(ended);
    ends[ended->id] = *ended;
  }
  ASSERT_EQ(ends.size(), 4U);
  EXPECT_EQ(ends[0].code, 0);
  EXPECT_EQ(ends[1].code, 3);
  EXPECT_EQ(ends[1].signal, 0);
  EXPECT_EQ(ends[2].signal, SIGKILL);
  EXPECT_EQ(test::read_bytes(folder.file("0")), "out\nerr\n");
  EXPECT_EQ(test::read_bytes(folder.file("3")), "no input\n");
}

TEST(ChildProcesses, SaysWhatCannotBeStarted) {
  const test::TempFolder folder;
  ChildProcesses children;
  EXPECT_THROW(children.start(0, folder.file("none"), {"none"}, folder.file("log")), EnvironmentError);
  EXPECT_THROW(children.start(0, "/bin/sh", shell("true"), folder.file("no/log")), EnvironmentError);
  EXPECT_EQ(children.num_running(), 0U);
}

/// Whether the process is there (a zombie is not: its parent would have waited for it).
bool is_running(pid_t pid) { return kill(pid, 0) == 0; }

TEST(ChildProcesses, EndTheChildrenWhenThisProcessIsInterrupted) {
  const test::TempFolder folder;
  for (const int signal : {SIGINT, SIGTERM}) {
    ::signal(signal, SIG_DFL);  // a shell may have had the tests ignore it
    pid_t child = 0;
    {
      ChildProcesses children;
      // The child says its number once it runs, and interrupts its parent.
      children.start(0, "/bin/sh",
                     shell("echo $$; kill -" + std::to_string(signal) + " $PPID; exec sleep 100000"),
                     folder.file("log"));
      EXPECT_FALSE(children.wait());
      EXPECT_EQ(children.interrupted_by(), signal);
      child = std::stoi(test::read_bytes(folder.file("log")));
      EXPECT_TRUE(is_running(child));
    }
    EXPECT_FALSE(is_running(child));
  }
}

TEST(ChildProcesses, LeaveASignalAloneThatIsIgnored) {
  const test::TempFolder folder;
  ::signal(SIGINT, SIG_IGN);
  {
    ChildProcesses children;
    children.start(0, "/bin/sh", shell("kill -INT $PPID; exit 4"), folder.file("log"));
    const auto ended = children.wait();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->code, 4);
  }
  EXPECT_EQ(::signal(SIGINT, SIG_DFL), SIG_IGN);
}

}  // namespace
}  // namespace kith
