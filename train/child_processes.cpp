#include "train/child_processes.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "graph/errors.h"

namespace kith {
namespace {

constexpr std::array<int, 3> kSignals = {SIGCHLD, SIGINT, SIGTERM};

/// What a signal handler may touch: any thread may be the one that is interrupted, so the thread that waits is
/// told through a pipe.
struct SignalPipe {
  std::atomic<int> write_end = -1;
  int read_end = -1;
  std::array<struct sigaction, kSignals.size()> before{};
} signal_pipe;

void tell(int signal) {
  const int kept = errno;
  const auto byte = static_cast<unsigned char>(signal);
  [[maybe_unused]] const ssize_t written = write(signal_pipe.write_end, &byte, 1);  // full: it wakes anyway
  errno = kept;
}

/// The next signal that came, 0 = none is waiting to be read.
int read_signal() {
  unsigned char byte = 0;
  return read(signal_pipe.read_end, &byte, 1) == 1 ? byte : 0;
}

}  // namespace

ChildProcesses::ChildProcesses() {
  assert(signal_pipe.read_end < 0);
  std::array<int, 2> ends{};
  KITH_CHECK(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0, EnvironmentError,
             "child processes: no pipe can be had: ", std::strerror(errno));
  signal_pipe.read_end = ends[0];
  signal_pipe.write_end = ends[1];
  struct sigaction action {};
  action.sa_handler = tell;
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &signal_pipe.before[i]);
    // A signal that this process was started to ignore stays ignored.
    const bool is_ignored = kSignals[i] != SIGCHLD && signal_pipe.before[i].sa_handler == SIG_IGN;
    if (!is_ignored) sigaction(kSignals[i], &action, nullptr);
  }
}

ChildProcesses::~ChildProcesses() {
  for (const Child& child : running_) kill(child.pid, SIGTERM);
  for (const Child& child : running_) {
    while (waitpid(child.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &signal_pipe.before[i], nullptr);
  close(signal_pipe.write_end.exchange(-1));
  close(signal_pipe.read_end);
  signal_pipe.read_end = -1;
}

void ChildProcesses::start(std::size_t id, const std::string& program,
                           const std::vector<std::string>& arguments, const std::string& log) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  int error = posix_spawn_file_actions_init(&files);
  if (error == 0) {
    error = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0) {
      error = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                               0666);
    }
    if (error == 0) error = posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    pid_t pid = 0;
    if (error == 0) error = posix_spawn(&pid, program.c_str(), &files, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    if (error == 0) running_.push_back({id, pid});
  }
  KITH_CHECK(error == 0, EnvironmentError, program, " (output to ", log,
             "): cannot be started: ", std::strerror(error));
}

std::optional<ChildExit> ChildProcesses::take_ended() {
  for (auto child = running_.begin(); child != running_.end(); ++child) {
    int status = 0;
    if (waitpid(child->pid, &status, WNOHANG) != child->pid) continue;
    const ChildExit ended{.id = child->id,
                          .code = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                          .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0};
    running_.erase(child);
    return ended;
  }
  return std::nullopt;
}

std::optional<ChildExit> ChildProcesses::wait() {
  assert(!running_.empty());
  while (true) {
    while (const int signal = read_signal()) {
      if (signal != SIGCHLD) interrupted_by_ = signal;
    }
    if (interrupted_by_ != 0) return std::nullopt;
    if (const std::optional<ChildExit> ended = take_ended()) return ended;
    pollfd told{.fd = signal_pipe.read_end, .events = POLLIN, .revents = 0};
    poll(&told, 1, -1);
  }
}

}  // namespace kith
