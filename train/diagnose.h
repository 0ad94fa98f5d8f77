// Why one training run is slower than another: walks a graph of causes, from the seconds of an epoch back to
// the earliest quantity that differs (the idea of Cloud Atlas, arXiv 2407.08694, with a graph written by hand).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace kith {

/// One quantity in both runs.
struct Deviation {
  std::string what;  ///< in words, with its unit
  double fast = 0;   ///< in the faster run, the median over its epochs
  double slow = 0;   ///< in the slower one
};

/// One option, or property of the dataset or the machine, that is not the same.
struct ChangedSetting {
  std::string name;
  std::string fast;
  std::string slow;
};

/// What diagnose() found.
struct Diagnosis {
  bool is_second_slower = false;  ///< which of the two runs is the slower one
  double fast_seconds = 0;        ///< median seconds an epoch, evaluation left out
  double slow_seconds = 0;
  bool is_different = false;             ///< the seconds differ by more than epochs of one run do
  std::vector<Deviation> chain;          ///< from the earliest deviating cause to the seconds of an epoch
  std::vector<Deviation> also;           ///< other quantities that cause it and deviate
  std::vector<ChangedSetting> settings;  ///< whether they explain it or not
};

/// first, second: reports of `kith train --json`. Throws InvalidArgument if one is no such report or holds no
/// epoch.
Diagnosis diagnose(const nlohmann::ordered_json& first, const nlohmann::ordered_json& second);

/// For people. first_name, second_name: what the two runs are called.
std::string describe(const Diagnosis& diagnosis, const std::string& first_name, const std::string& second_name);

}  // namespace kith
