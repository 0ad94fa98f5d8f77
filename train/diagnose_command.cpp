#include "train/diagnose_command.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "graph/errors.h"
#include "train/diagnose.h"

namespace kith {
namespace {

struct DiagnoseFlags {
  std::string first;
  std::string second;
};

nlohmann::ordered_json read_report(const std::string& path) {
  errno = 0;
  std::ifstream in(path);
  KITH_CHECK(in, IoError, path, ": cannot be read: ", std::strerror(errno));
  nlohmann::ordered_json report = nlohmann::ordered_json::parse(in, nullptr, /*allow_exceptions=*/false);
  KITH_CHECK(!report.is_discarded(), IoError, path, ": is not JSON; a report of kith train --json is expected");
  return report;
}

void run(const DiagnoseFlags& flags) {
  const Diagnosis diagnosis = diagnose(read_report(flags.first), read_report(flags.second));
  std::cout << describe(diagnosis, flags.first, flags.second);
}

}  // namespace

void add_diagnose_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("diagnose", "Say why an epoch of one training run is slower than of another");
  auto flags = std::make_shared<DiagnoseFlags>();
  command->add_option("first", flags->first, "Report of kith train --json")->required();
  command->add_option("second", flags->second, "Report of the other run")->required();
  command->footer(
      "Example: what changed since yesterday\n"
      "  kith diagnose yesterday.json today.json\n"
      "It goes from the seconds of an epoch back to the earliest quantity that differs by more than noise.");
  command->callback([flags] { run(*flags); });
}

}  // namespace kith
