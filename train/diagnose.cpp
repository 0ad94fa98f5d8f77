#include "train/diagnose.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string_view>

#include "graph/errors.h"

namespace kith {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kSecondsTolerance = 0.05;  // of clocks, beside the noise between epochs
constexpr double kWorkTolerance = 0.01;     // of counts, which repeat exactly for equal options

/// A quantity of an epoch and what it follows from.
struct Cause {
  std::string_view name;  ///< a key of an epoch's JSON; of its "seconds" if is_seconds
  std::string_view words;
  bool is_seconds;
  std::array<std::string_view, 4>
      causes;  ///< names; '-' before one that lowers this by growing; empty at the end
};

// From effects to causes. A cause stands below its effects, so the graph has no cycles.
constexpr std::array kGraph = {
    Cause{"total", "seconds an epoch", true, {"compute", "stall"}},
    Cause{"stall", "seconds that compute waited for batches", true, {"sample", "stage"}},
    Cause{"compute", "seconds of compute", true, {"input_nodes_per_batch", "edges_per_batch", "batches"}},
    Cause{"stage",
          "seconds of staging",
          true,
          {"staged_bytes_from_disk", "staged_bytes", "input_nodes_per_batch"}},
    Cause{"sample", "seconds of sampling", true, {"edges_per_batch", "input_nodes_per_batch", "batches"}},
    Cause{"staged_bytes_from_disk", "bytes read from the file", false, {"-hit_rate", "staged_bytes"}},
    Cause{"staged_bytes", "bytes staged", false, {"-hit_rate", "input_nodes_per_batch"}},
    Cause{"hit_rate", "hit rate of the fast tier", false, {"reused_input_share", "-pages_per_batch"}},
    Cause{"pages_per_batch", "feature pages a batch", false, {"input_nodes_per_batch"}},
    Cause{"reused_input_share",
          "share of input nodes that the batch before had",
          false,
          {"-communities_per_batch", "-input_nodes_per_batch"}},
    Cause{"input_nodes_per_batch",
          "input nodes a batch",
          false,
          {"communities_per_batch", "-intra_edge_share", "edges_per_batch"}},
    Cause{"edges_per_batch", "edges a batch", false, {"-batches"}},
    Cause{"intra_edge_share", "share of the drawn edges that stay inside a community", false, {}},
    Cause{"communities_per_batch", "communities a batch", false, {}},
    Cause{"batches", "batches an epoch", false, {}},
};

const Cause& find_cause(std::string_view name) { return *std::ranges::find(kGraph, name, &Cause::name); }

/// Of the values of one quantity over the epochs of a run.
struct Summary {
  double median = 0;
  double low = 0;  ///< quartiles
  double high = 0;
};

std::optional<Summary> summarize(const Json& report, const Cause& cause) {
  std::vector<double> values;
  for (const Json& epoch : report.at("epochs")) {
    const Json& of = cause.is_seconds ? epoch.at("seconds") : epoch;
    const auto found = of.find(cause.name);
    if (found != of.end() && found->is_number()) values.push_back(found->get<double>());
  }
  if (values.empty()) return std::nullopt;  // not counted: no fast tier, or sampled on the device
  std::ranges::sort(values);
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
  };
  return Summary{.median = at(0.5), .low = at(0.25), .high = at(0.75)};
}

bool are_apart(double a, double b, double tolerance) {
  return std::abs(a - b) > tolerance * std::max(std::abs(a), std::abs(b));
}

/// Compares two reports, quantity by quantity.
class Comparison {
 public:
  Comparison(const Json& fast, const Json& slow)
      : fast_(fast), slow_(slow), total_seconds_(summarize(slow, kGraph.front())->median) {}

  /// Nothing if the quantity is not in both, or differs by no more than noise.
  std::optional<Deviation> deviation(const Cause& cause) const {
    const std::optional<Summary> fast = summarize(fast_, cause);
    const std::optional<Summary> slow = summarize(slow_, cause);
    if (!fast || !slow) return std::nullopt;
    if (!are_apart(fast->median, slow->median, cause.is_seconds ? kSecondsTolerance : kWorkTolerance)) {
      return std::nullopt;
    }
    // Nor do seconds that hardly count: a hundredth of an epoch explains nothing.
    if (cause.is_seconds && std::abs(slow->median - fast->median) < 0.01 * total_seconds_) return std::nullopt;
    const bool do_quartiles_overlap = fast->high >= slow->low && slow->high >= fast->low;
    if (cause.is_seconds && do_quartiles_overlap) return std::nullopt;
    return Deviation{.what = std::string(cause.words), .fast = fast->median, .slow = slow->median};
  }

  /// From the seconds of an epoch down to the earliest cause that deviates.
  void walk(Diagnosis& out) const {
    const Cause* effect = &kGraph.front();
    double growth = 1;  // of the effect, from the faster run to the slower one
    while (true) {
      std::vector<Found> found = explanations(*effect, growth);
      if (found.empty()) break;
      out.chain.insert(out.chain.begin(), found.front().deviation);
      for (std::size_t i = 1; i < found.size(); ++i) add_other(found[i].deviation, out);
      effect = found.front().cause;
      growth = found.front().deviation.slow - found.front().deviation.fast;
    }
    std::erase_if(out.also, [&](const Deviation& other) { return is_in(out.chain, other); });
  }

 private:
  struct Found {
    const Cause* cause;
    Deviation deviation;
    double weight;
  };

  /// The causes of `effect` that deviate in the direction that explains it, the heaviest first.
  std::vector<Found> explanations(const Cause& effect, double growth) const {
    std::vector<Found> out;
    for (std::string_view name : effect.causes) {
      if (name.empty()) break;
      const double sign = name.starts_with('-') ? -1 : 1;
      if (sign < 0) name.remove_prefix(1);
      const Cause& cause = find_cause(name);
      const std::optional<Deviation> found = deviation(cause);
      if (!found || sign * growth * (found->slow - found->fast) <= 0) continue;
      out.push_back({&cause, *found, weight(cause, *found)});
    }
    std::ranges::stable_sort(out, std::ranges::greater(), &Found::weight);
    return out;
  }

  /// Seconds add up, so the larger difference counts for more; counts are compared as ratios.
  static double weight(const Cause& cause, const Deviation& found) {
    if (cause.is_seconds) return found.slow - found.fast;
    if (found.fast <= 0 || found.slow <= 0) return std::abs(found.slow - found.fast);
    return std::abs(std::log(found.slow / found.fast));
  }

  static bool is_in(const std::vector<Deviation>& list, const Deviation& deviation) {
    return std::ranges::find(list, deviation.what, &Deviation::what) != list.end();
  }

  static void add_other(const Deviation& deviation, Diagnosis& out) {
    if (!is_in(out.also, deviation)) out.also.push_back(deviation);
  }

  const Json& fast_;
  const Json& slow_;
  double total_seconds_;  ///< of the slower run's epoch
};

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void compare_settings(const Json& fast, const Json& slow, const std::string& prefix,
                      std::vector<ChangedSetting>& out) {
  for (const auto& [name, value] : fast.items()) {
    const auto other = slow.find(name);
    if (other == slow.end()) {
      out.push_back({prefix + name, text_of(value), "not there"});
    } else if (*other != value) {
      out.push_back({prefix + name, text_of(value), text_of(*other)});
    }
  }
  for (const auto& [name, value] : slow.items()) {
    if (!fast.contains(name)) out.push_back({prefix + name, "not there", text_of(value)});
  }
}

void check_report(const Json& report, const char* which) {
  const bool is_report = report.is_object() && report.contains("options") && report["options"].is_object() &&
                         report.contains("dataset") && report["dataset"].is_object() &&
                         report.contains("epochs") && report["epochs"].is_array();
  KITH_CHECK(is_report, InvalidArgument, "diagnose: the ", which, " file is not a report of kith train --json");
  KITH_CHECK(!report["epochs"].empty(), InvalidArgument, "diagnose: the ", which, " report holds no epoch");
  for (const Json& epoch : report["epochs"]) {
    const bool has_total = epoch.is_object() && epoch.contains("seconds") && epoch["seconds"].is_object() &&
                           epoch["seconds"].contains("total") && epoch["seconds"]["total"].is_number();
    KITH_CHECK(has_total, InvalidArgument, "diagnose: an epoch of the ", which, " report has no seconds");
  }
}

std::string number(double value) {
  std::ostringstream out;
  out << std::setprecision(std::abs(value) >= 1000 ? 0 : 3);
  if (std::abs(value) >= 1000) out << std::fixed;
  out << value;
  return out.str();
}

void write_deviation(const Deviation& d, std::ostream& out) {
  out << "  " << d.what << ": " << number(d.fast) << " -> " << number(d.slow);
  if (d.fast > 0 && d.slow > 0) out << "  (" << std::setprecision(3) << d.slow / d.fast << "x)";
  out << '\n';
}

}  // namespace

Diagnosis diagnose(const Json& first, const Json& second) {
  check_report(first, "first");
  check_report(second, "second");
  const Cause& total = kGraph.front();
  Diagnosis out;
  out.is_second_slower = summarize(second, total)->median >= summarize(first, total)->median;
  const Json& fast = out.is_second_slower ? first : second;
  const Json& slow = out.is_second_slower ? second : first;
  out.fast_seconds = summarize(fast, total)->median;
  out.slow_seconds = summarize(slow, total)->median;
  compare_settings(fast["options"], slow["options"], "--", out.settings);
  compare_settings(fast["dataset"], slow["dataset"], "dataset ", out.settings);
  for (const char* name : {"device", "version"}) {
    const Json a = fast.value(name, Json());
    const Json b = slow.value(name, Json());
    if (a != b) out.settings.push_back({name, text_of(a), text_of(b)});
  }
  const Comparison comparison(fast, slow);
  const std::optional<Deviation> seconds = comparison.deviation(total);
  out.is_different = seconds.has_value();
  if (!seconds) return out;
  out.chain.push_back(*seconds);
  comparison.walk(out);
  return out;
}

std::string describe(const Diagnosis& diagnosis, const std::string& first_name,
                     const std::string& second_name) {
  const std::string& slow_name = diagnosis.is_second_slower ? second_name : first_name;
  const std::string& fast_name = diagnosis.is_second_slower ? first_name : second_name;
  std::ostringstream out;
  if (!diagnosis.is_different) {
    out << "An epoch takes as long in both: " << number(diagnosis.fast_seconds) << " s and "
        << number(diagnosis.slow_seconds) << " s differ by no more than the epochs of one run do.\n";
  } else {
    out << slow_name << " takes " << std::setprecision(3) << diagnosis.slow_seconds / diagnosis.fast_seconds
        << "x as long an epoch as " << fast_name << ". From cause to effect (" << fast_name << " -> "
        << slow_name << "):\n";
    for (const Deviation& d : diagnosis.chain) write_deviation(d, out);
    if (!diagnosis.also.empty()) out << "Other causes that differ:\n";
    for (const Deviation& d : diagnosis.also) write_deviation(d, out);
  }
  if (!diagnosis.settings.empty()) {
    out << "Not the same in both:\n";
    for (const ChangedSetting& s : diagnosis.settings) {
      out << "  " << s.name << ": " << s.fast << " -> " << s.slow << '\n';
    }
  } else if (diagnosis.is_different) {
    out << "Options and dataset are the same. Threads, prefetch depth, and what else ran on the machine are "
           "not in "
           "the reports.\n";
  }
  return out.str();
}

}  // namespace kith
