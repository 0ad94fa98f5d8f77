// Programs that run beside this one, each in a process of its own.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace kith {

/// How a child ended.
struct ChildExit {
  std::size_t id = 0;  ///< as start() was given
  int code = 0;        ///< that it returned, 0 = done
  int signal = 0;      ///< that ended it, 0 = none
};

/// Starts programs and waits for them. SIGINT and SIGTERM to this process end them. While one of these exists
/// it handles both signals, so there may be one at a time; one thread uses it.
class ChildProcesses {
 public:
  /// Throws EnvironmentError if the system has no file descriptors left.
  ChildProcesses();
  /// Ends the children that still run (SIGTERM) and waits for them.
  ~ChildProcesses();
  ChildProcesses(const ChildProcesses&) = delete;
  ChildProcesses& operator=(const ChildProcesses&) = delete;

  /// Starts `program` with these arguments (the first is its name) and no input. What it prints goes to the
  /// file `log`, which is replaced. Throws EnvironmentError if it cannot be started.
  void start(std::size_t id, const std::string& program, const std::vector<std::string>& arguments,
             const std::string& log);

  std::size_t num_running() const { return running_.size(); }

  /// Waits until a child ends; there must be one. Nothing if SIGINT or SIGTERM came: see interrupted_by().
  std::optional<ChildExit> wait();

  /// The signal that came, 0 = none.
  int interrupted_by() const { return interrupted_by_; }

 private:
  struct Child {
    std::size_t id;
    pid_t pid;
  };

  std::optional<ChildExit> take_ended();

  std::vector<Child> running_;
  int interrupted_by_ = 0;
};

}  // namespace kith
