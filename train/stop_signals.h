// Ctrl-C and kill: a run ends between two batches instead of anywhere.
#pragma once

#include <csignal>
#include <stdexcept>
#include <string>

namespace kith {

/// While it lives, the first SIGINT or SIGTERM is only noted; the next one ends the process at once. A signal
/// that was ignored before stays so. One at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// The signal that came, or 0.
  static int received();

 private:
  struct sigaction before_interrupt_ {};
  struct sigaction before_terminate_ {};
};

/// A command ended early because it was told to. Exit code 128 + signal.
class StoppedBySignal : public std::runtime_error {
 public:
  StoppedBySignal(int signal, const std::string& text, bool is_resumable)
      : std::runtime_error(text), signal_(signal), is_resumable_(is_resumable) {}

  int exit_code() const { return 128 + signal_; }
  bool is_resumable() const { return is_resumable_; }  ///< by the same command line with --resume

 private:
  int signal_;
  bool is_resumable_;
};

}  // namespace kith
