#include "train/run_request.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "graph/errors.h"
#include "train/report.h"
#include "train/tune_candidates.h"

namespace kith {
namespace {

using Json = nlohmann::ordered_json;

/// "p_intra" -> "--p-intra".
std::string option_name(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return "--" + key;
}

Json at_or_null(const Json& object, const std::string& key) {
  return object.is_object() && object.contains(key) ? object[key] : Json();
}

std::string text_of(const Json& value) { return value.is_null() ? "nothing" : value.dump(); }

/// Whether a run that was to stop earlier may go on. patience 0 is without end.
bool may_go_on(const std::string& key, const Json& before, const Json& now) {
  if (key == "sample_on") return true;  // the same bits on either side
  if ((key != "epochs" && key != "patience") || !before.is_number_integer()) return before == now;
  const auto limit = [&](const Json& value) {
    const auto number = value.get<std::int64_t>();
    return key == "patience" && number == 0 ? std::numeric_limits<std::int64_t>::max() : number;
  };
  return limit(now) >= limit(before);
}

}  // namespace

Json identity_of(const Dataset& dataset) {
  return {{"source", dataset.provenance.source},
          {"created", dataset.provenance.created},
          {"nodes", dataset.num_nodes()},
          {"edges", dataset.graph.num_edges()}};
}

Json request_of(const RunOptions& options, const Dataset& dataset) {
  Json request = {{"options", to_json(options)}};
  request.update(identity_of(dataset));
  return request;
}

void check_same_request(const std::string& stored, const RunOptions& options, const Dataset& dataset,
                        const std::string& where) {
  const Json before = Json::parse(stored);
  const Json identity = identity_of(dataset);
  for (const auto& [key, value] : identity.items()) {
    KITH_CHECK(at_or_null(before, key) == value, InvalidArgument, "--resume: ", where,
               " is of another dataset: expected ", key, " ", text_of(at_or_null(before, key)), ", got ",
               text_of(value));
  }
  const Json& options_before = at_or_null(before, "options");
  const Json options_now = to_json(options);
  for (const auto& [key, value] : options_now.items()) {
    const Json other = at_or_null(options_before, key);
    KITH_CHECK(may_go_on(key, other, value), InvalidArgument, "--resume: ", where,
               " was made with other options: expected ", option_name(key), " ", text_of(other), ", got ",
               text_of(value));
  }
}

ModelOptions model_of_request(const std::string& stored, const std::string& where) {
  try {
    const Json options = Json::parse(stored).at("options");
    return {.kind = parse_model_kind(options.at("model").get<std::string>()),
            .hidden_channels = options.at("hidden"),
            .num_layers = options.at("layers"),
            .heads = options.at("heads"),
            .dropout = options.at("dropout"),
            .seed = options.at("seed")};
  } catch (const Json::exception& error) {
    throw IoError(concat(where, ": damaged: ", error.what()));
  }
}

void adopt_knobs(const std::string& stored, const std::string& where, RunOptions& options) {
  try {
    const Json knobs = Json::parse(stored).at("options");
    KITH_CHECK(!knobs.contains("schedule"), InvalidArgument, "--tune: the knobs of ", where,
               " follow a schedule, which a search does not choose; give them instead of --tune");
    LoaderOptions loader = random_batches(options.loader);
    const double mix = knobs.at("mix"), p_intra = knobs.at("p_intra");
    loader.set_mix({mix, mix});
    loader.set_p_intra({p_intra, p_intra});
    loader.level = knobs.at("level");
    loader.bias_level = knobs.at("bias_level");
    loader.sampler.is_unbiased = knobs.at("unbiased");
    options.loader = loader;
    options.finish_random = knobs.at("finish_random");
  } catch (const Json::exception& error) {
    throw IoError(concat(where, ": damaged: ", error.what()));
  }
}

bool is_same_dataset(const std::string& stored, const Dataset& dataset) {
  const Json before = Json::parse(stored);
  const Json identity = identity_of(dataset);
  return std::ranges::all_of(
      identity.items(), [&](const auto& entry) { return at_or_null(before, entry.key()) == entry.value(); });
}

}  // namespace kith
