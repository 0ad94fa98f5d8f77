#include "datasets/info_command.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "datasets/info.h"
#include "train/report.h"

namespace kith {
namespace {

struct InfoFlags {
  std::string file;
  std::string json;
  bool verify = false;
};

void run(const InfoFlags& flags) {
  const InfoReport report = inspect_dataset(flags.file, flags.verify);
  if (!flags.json.empty()) write_text(flags.json, json_text(to_json(report)));
  if (flags.json != "-") std::fputs(to_text(report).c_str(), stdout);
}

}  // namespace

void add_info_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("info", "Show what a dataset file holds");
  auto flags = std::make_shared<InfoFlags>();
  command->add_option("FILE", flags->file, "Dataset (*.kith.h5)")->required();
  command->add_flag("--verify", flags->verify, "Check every checksum and every feature value");
  command->add_option("--json", flags->json, "Write the report here; '-' = stdout");
  command->footer(
      "Example: is this copy whole, and how many edges stay inside its communities?\n"
      "  kith info products.kith.h5 --verify");
  command->callback([flags] { run(*flags); });
}

}  // namespace kith
