// The kith command: registers every command and turns errors into one line and an exit code.
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "datasets/generate_command.h"
#include "datasets/info_command.h"
#include "datasets/prepare_command.h"
#include "graph/errors.h"
#include "graph/printable.h"
#include "train/diagnose_command.h"
#include "train/predict_command.h"
#include "train/report.h"
#include "train/staging/stage_eval_command.h"
#include "train/stop_signals.h"
#include "train/sweep_command.h"
#include "train/train_command.h"

/// There with AddressSanitizer, which would look for leaks in exit().
extern "C" void __lsan_do_leak_check() __attribute__((weak));

namespace {

enum ExitCode : int { kDone = 0, kUsage = 1, kBadInput = 2, kEnvironment = 3 };

std::string command_name(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app.get_name() : app.get_name() + " " + parsed.front()->get_name();
}

int complain(const CLI::App& app, std::string message, ExitCode code) {
  std::fprintf(stderr, "%s: %s\n", command_name(app).c_str(), kith::printable(std::move(message)).c_str());
  return code;
}

/// A word of a command line as a shell reads it.
std::string quoted(const std::string& word) {
  const auto is_plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::strchr("%+,-./:=@_", c) != nullptr;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

int say_stopped(const CLI::App& app, const kith::StoppedBySignal& stopped, std::span<char* const> arguments) {
  std::fprintf(stderr, "%s: %s\n", command_name(app).c_str(), stopped.what());
  if (!stopped.is_resumable()) return stopped.exit_code();
  const std::string resume = "--resume";
  std::string line;
  for (const char* word : arguments) {
    if (word != resume) line += quoted(word) + " ";
  }
  std::fprintf(stderr, "go on with: %s%s\n", line.c_str(), resume.c_str());
  return stopped.exit_code();
}

int run(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    if (std::fflush(stdout) != 0) throw kith::EnvironmentError("stdout cannot be written");
    return kDone;
  } catch (const kith::StoppedBySignal& e) {
    return say_stopped(app, e, {argv, static_cast<std::size_t>(argc)});
  } catch (const CLI::Success& e) {  // --help and --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    return complain(app, std::string(e.what()) + "; see '" + command_name(app) + " --help'", kUsage);
  } catch (const kith::EnvironmentError& e) {
    return complain(app, e.what(), kEnvironment);
  } catch (const kith::Error& e) {
    return complain(app, e.what(), kBadInput);
  } catch (const std::bad_alloc&) {
    return complain(app, "out of memory", kEnvironment);
  } catch (const std::exception& e) {
    return complain(app, std::string("internal error: ") + e.what(), kEnvironment);
  }
}

// A mapped file that shrinks, or whose disk fails, shows as this signal in whichever thread reads it.
extern "C" void say_that_a_file_is_gone(int /*signal*/) {
  constexpr char kLine[] = "kith: a file was cut short while it was read, or its disk failed\n";
  (void)!::write(STDERR_FILENO, kLine, sizeof(kLine) - 1);
  ::_exit(kBadInput);
}

/// Every thread's heap reserves 64 MiB of addresses. Where they are limited, all threads share one.
void share_heap_if_addresses_are_limited() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) ::mallopt(M_ARENA_MAX, 1);
}

}  // namespace

int main(int argc, char** argv) {
  share_heap_if_addresses_are_limited();
  // A file-size limit or a closed pipe then shows as a failed write, which gets its one line.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGBUS, say_that_a_file_is_gone);
  CLI::App app("Kith trains graph neural networks on batches that follow the structure of the graph", "kith");
  app.set_version_flag("--version", std::string("kith ") + kith::kVersion);
  app.require_subcommand(1);
  kith::add_prepare_command(app);
  kith::add_generate_command(app);
  kith::add_info_command(app);
  kith::add_train_command(app);
  kith::add_predict_command(app);
  kith::add_sweep_command(app);
  kith::add_stage_eval_command(app);
  kith::add_diagnose_command(app);
  app.footer("See 'kith COMMAND --help' for the options of a command and an example.");
  const int code = run(app, argc, argv);
  // Not exit(): it waits for OpenBLAS's threads, and those wait for ever for memory that a limit denies them.
  std::fflush(nullptr);
  if (__lsan_do_leak_check != nullptr) __lsan_do_leak_check();
  ::_exit(code);
}
