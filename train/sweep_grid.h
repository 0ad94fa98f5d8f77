// Which runs a sweep is made of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/knob_schedule.h"

namespace kith {

/// The axes of a sweep. Every sampler runs over all that means something to it: `comm-rand` over all axes;
/// `cluster` over the constant values of mix and the levels; the others take random roots (mix 1, p_intra 0.5),
/// so they run once a file, model and seed.
struct SweepGrid {
  std::vector<std::string> files;                     ///< datasets
  std::vector<std::string> models = {"sage"};         ///< as of --model
  std::vector<std::string> samplers = {"comm-rand"};  ///< random, comm-rand, labor, dependency:K, cluster, full
  std::vector<std::string> mix = {"0", "0.125", "0.25", "0.5", "1"};  ///< values or schedules, as of --mix
  std::vector<std::string> p_intra = {"0.5", "0.7", "0.9", "1"};      ///< the same
  std::vector<std::int32_t> levels = {0};
  std::vector<std::int32_t> unbiased = {0};  ///< 0 or 1
  std::int32_t num_seeds = 3;
  std::uint64_t first_seed = 0;
};

/// One run: what it says in the place of `kith train`'s options.
struct SweepRun {
  std::string file = {};
  std::string graph = {};  ///< stem of the file
  std::string model = {};
  std::string sampler = {};  ///< random, comm-rand, labor, dependency, cluster or full
  Knob mix{1, 1};
  Knob p_intra{0.5, 0.5};
  std::int32_t level = 0;
  std::int32_t dependency = 1;
  bool is_unbiased = false;
  std::uint64_t seed = 0;

  /// Names the run, no other of its sweep, and its files: "demo_sage_comm-rand_mix0.125_p0.9_seed0".
  std::string name() const;
  /// Options of `kith train` that make it this run.
  std::vector<std::string> arguments() const;
};

/// The runs of a grid, seed by seed, each once. Throws InvalidArgument, naming the option, for an empty axis, a
/// value out of range or unknown, or two files with the same stem.
std::vector<SweepRun> runs_of(const SweepGrid& grid);

}  // namespace kith
