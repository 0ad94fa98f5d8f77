// The kith command: registers every command and turns errors into one line and an exit code.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <new>
#include <string>

#include "datasets/generate_command.h"
#include "datasets/info_command.h"
#include "datasets/prepare_command.h"
#include "graph/errors.h"
#include "train/diagnose_command.h"
#include "train/report.h"
#include "train/staging/stage_eval_command.h"
#include "train/sweep_command.h"
#include "train/train_command.h"

namespace {

enum ExitCode : int { kDone = 0, kUsage = 1, kBadInput = 2, kEnvironment = 3 };

std::string command_name(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app.get_name() : app.get_name() + " " + parsed.front()->get_name();
}

int complain(const CLI::App& app, std::string message, ExitCode code) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fprintf(stderr, "%s: %s\n", command_name(app).c_str(), message.c_str());
  return code;
}

int run(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    if (std::fflush(stdout) != 0) throw kith::EnvironmentError("stdout cannot be written");
    return kDone;
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

}  // namespace

int main(int argc, char** argv) {
  // A file-size limit or a closed pipe then shows as a failed write, which gets its one line.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("Kith trains graph neural networks on batches that follow the structure of the graph", "kith");
  app.set_version_flag("--version", std::string("kith ") + kith::kVersion);
  app.require_subcommand(1);
  kith::add_prepare_command(app);
  kith::add_generate_command(app);
  kith::add_info_command(app);
  kith::add_train_command(app);
  kith::add_sweep_command(app);
  kith::add_stage_eval_command(app);
  kith::add_diagnose_command(app);
  app.footer("See 'kith COMMAND --help' for the options of a command and an example.");
  return run(app, argc, argv);
}
