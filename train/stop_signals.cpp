#include "train/stop_signals.h"

#include <atomic>

namespace kith {
namespace {

// A handler can reach nothing else.
std::atomic<int> received_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);

void handle(int signal) {
  received_signal.store(signal);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

void install(int signal, struct sigaction& before) {
  ::sigaction(signal, nullptr, &before);
  if (before.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

StopSignals::StopSignals() {
  received_signal.store(0);
  install(SIGINT, before_interrupt_);
  install(SIGTERM, before_terminate_);
}

StopSignals::~StopSignals() {
  ::sigaction(SIGINT, &before_interrupt_, nullptr);
  ::sigaction(SIGTERM, &before_terminate_, nullptr);
}

int StopSignals::received() { return received_signal.load(); }

}  // namespace kith
