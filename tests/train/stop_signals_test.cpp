#include "train/stop_signals.h"

#include <gtest/gtest.h>

#include <csignal>

namespace kith {
namespace {

void (*handler_of(int signal))(int) {
  struct sigaction action {};
  ::sigaction(signal, nullptr, &action);
  return action.sa_handler;
}

TEST(StopSignals, NoteTheFirstAndLeaveTheNextToTheSystem) {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  {
    const StopSignals signals;
    EXPECT_EQ(StopSignals::received(), 0);
    EXPECT_NE(handler_of(SIGINT), SIG_DFL);
    std::raise(SIGTERM);
    EXPECT_EQ(StopSignals::received(), SIGTERM);
    EXPECT_EQ(handler_of(SIGINT), SIG_DFL);
    EXPECT_EQ(handler_of(SIGTERM), SIG_DFL);
  }
  const StopSignals signals;
  EXPECT_EQ(StopSignals::received(), 0);
}

TEST(StopSignals, KeepWhatWasIgnoredIgnoredAndPutEverythingBack) {
  std::signal(SIGINT, SIG_IGN);
  {
    const StopSignals signals;
    std::raise(SIGINT);
    EXPECT_EQ(StopSignals::received(), 0);
    EXPECT_NE(handler_of(SIGTERM), SIG_DFL);
  }
  EXPECT_EQ(handler_of(SIGINT), SIG_IGN);
  EXPECT_EQ(handler_of(SIGTERM), SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
}

TEST(StopSignals, GiveTheExitCodeOfAShell) {
  EXPECT_EQ(StoppedBySignal(SIGINT, "", true).exit_code(), 130);
  EXPECT_EQ(StoppedBySignal(SIGTERM, "", true).exit_code(), 143);
}

}  // namespace
}  // namespace kith
