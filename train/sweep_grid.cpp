#include "train/sweep_grid.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <string_view>
#include <utility>

#include "graph/errors.h"
#include "train/model.h"

namespace kith {
namespace {

constexpr std::string_view kDatasetSuffix = ".kith.h5";
constexpr std::string_view kDependencyPrefix = "dependency:";

/// The axes, read and checked.
struct Axes {
  std::vector<std::pair<std::string, std::int32_t>> samplers;  ///< and their dependency
  std::vector<Knob> mix, p_intra;
};

std::vector<Knob> parse_knobs(const std::vector<std::string>& texts, const char* option, double low) {
  KITH_CHECK(!texts.empty(), InvalidArgument, "sweep: ", option, ": at least one value is needed");
  std::vector<Knob> knobs;
  for (const std::string& text : texts) {
    knobs.push_back(Knob::parse(text, option));
    for (const double end : {knobs.back().first, knobs.back().last}) {
      KITH_CHECK(end >= low && end <= 1, InvalidArgument, "sweep: ", option, ": expected values in [", low,
                 ", 1], got ", text);
    }
  }
  return knobs;
}

std::pair<std::string, std::int32_t> parse_sampler(const std::string& text) {
  for (const char* name : {"random", "comm-rand", "labor", "cluster", "full"}) {
    if (text == name) return {text, 1};
  }
  std::int32_t dependency = 0;
  if (text.starts_with(kDependencyPrefix)) {
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + kDependencyPrefix.size(), end, dependency);
    if (error != std::errc() || rest != end) dependency = 0;
  }
  KITH_CHECK(dependency > 0, InvalidArgument,
             "sweep: --samplers: expected random, comm-rand, labor, dependency:K with K > 0, cluster or full, "
             "got ",
             text);
  return {"dependency", dependency};
}

std::string stem_of(const std::string& file) {
  std::string name = std::filesystem::path(file).filename().string();
  if (name.ends_with(kDatasetSuffix)) {
    name.resize(name.size() - kDatasetSuffix.size());
  } else {
    name = std::filesystem::path(name).stem().string();
  }
  // Neither the table nor the picture quotes anything.
  KITH_CHECK(!name.empty() && name.find_first_of(",\"<&\n\r") == std::string::npos, InvalidArgument,
             "sweep: ", file, ": expected a file name without , \" < & and line breaks");
  return name;
}

void check_files(const std::vector<std::string>& files) {
  KITH_CHECK(!files.empty(), InvalidArgument, "sweep: at least one dataset is needed");
  std::set<std::string> stems;
  for (const std::string& file : files) {
    KITH_CHECK(stems.insert(stem_of(file)).second, InvalidArgument, "sweep: two datasets are called ",
               stem_of(file));
  }
}

Axes check(const SweepGrid& grid) {
  check_files(grid.files);
  KITH_CHECK(grid.num_seeds > 0, InvalidArgument, "sweep: --seeds: expected 1 or more, got ", grid.num_seeds);
  KITH_CHECK(!grid.models.empty() && !grid.samplers.empty() && !grid.levels.empty() && !grid.unbiased.empty(),
             InvalidArgument, "sweep: at least one model, sampler, level and value of unbiased are needed");
  for (const std::string& model : grid.models) parse_model_kind(model);
  for (const std::int32_t level : grid.levels) {
    KITH_CHECK(level >= 0, InvalidArgument, "sweep: --levels: expected 0 or more, got ", level);
  }
  for (const std::int32_t unbiased : grid.unbiased) {
    KITH_CHECK(unbiased == 0 || unbiased == 1, InvalidArgument, "sweep: --unbiased: expected 0 or 1, got ",
               unbiased);
  }
  Axes axes{.samplers = {},
            .mix = parse_knobs(grid.mix, "--mix", 0),
            .p_intra = parse_knobs(grid.p_intra, "--p-intra", 0.5)};
  for (const std::string& text : grid.samplers) axes.samplers.push_back(parse_sampler(text));
  const bool has_cluster = std::ranges::find(grid.samplers, "cluster") != grid.samplers.end();
  KITH_CHECK(!has_cluster || std::ranges::any_of(axes.mix, &Knob::is_constant), InvalidArgument,
             "sweep: the sampler cluster needs a --mix that is the same in every epoch");
  return axes;
}

/// The runs of one file, model, sampler and seed, of which `run` has all but the knobs.
void add_runs(const SweepGrid& grid, const Axes& axes, SweepRun run, std::vector<SweepRun>& runs) {
  const bool is_cluster = run.sampler == "cluster";
  if (!is_cluster && run.sampler != "comm-rand") return runs.push_back(run);
  for (const std::int32_t level : grid.levels) {
    run.level = level;
    for (const std::int32_t unbiased : is_cluster ? std::vector<std::int32_t>{0} : grid.unbiased) {
      run.is_unbiased = unbiased == 1;
      for (const Knob& p_intra : is_cluster ? std::vector<Knob>{{0.5, 0.5}} : axes.p_intra) {
        run.p_intra = p_intra;
        for (const Knob& mix : axes.mix) {
          run.mix = mix;
          if (!is_cluster || mix.is_constant()) runs.push_back(run);
        }
      }
    }
  }
}

}  // namespace

std::string SweepRun::name() const {
  std::string name = concat(graph, "_", model, "_", sampler);
  if (sampler == "dependency") name += std::to_string(dependency);
  if (sampler == "comm-rand" || sampler == "cluster") {
    name += concat("_mix", mix.name());
    if (sampler == "comm-rand") name += concat("_p", p_intra.name());
    if (level != 0) name += concat("_level", level);
  }
  if (is_unbiased) name += "_unbiased";
  std::ranges::replace(name, ':', '-');
  return concat(name, "_seed", seed);
}

std::vector<std::string> SweepRun::arguments() const {
  const bool is_neighbor = sampler == "random" || sampler == "comm-rand" || sampler == "dependency";
  std::vector<std::string> arguments = {
      "--model=" + model,        "--sampler=" + (is_neighbor ? "neighbor" : sampler),
      "--mix=" + mix.name(),     "--p-intra=" + p_intra.name(),
      concat("--level=", level), concat("--dependency=", dependency),
      concat("--seed=", seed)};
  if (is_unbiased) arguments.emplace_back("--unbiased");
  return arguments;
}

std::vector<SweepRun> runs_of(const SweepGrid& grid) {
  const Axes axes = check(grid);
  std::vector<SweepRun> all;
  for (std::int32_t i = 0; i < grid.num_seeds; ++i) {
    for (const std::string& file : grid.files) {
      for (const std::string& model : grid.models) {
        for (const auto& [sampler, dependency] : axes.samplers) {
          const SweepRun run{.file = file,
                             .graph = stem_of(file),
                             .model = model,
                             .sampler = sampler,
                             .dependency = dependency,
                             .seed = grid.first_seed + static_cast<std::uint64_t>(i)};
          add_runs(grid, axes, run, all);
        }
      }
    }
  }
  std::set<std::string> names;
  std::erase_if(all, [&](const SweepRun& run) { return !names.insert(run.name()).second; });
  return all;
}

}  // namespace kith
