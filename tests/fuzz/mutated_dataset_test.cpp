// Thousands of damaged dataset files: none crashes a reader or a training step, none is believed under --verify
// whose checksums are wrong. KITH_MUTATIONS sets how many are tried, KITH_MUTATION_SEED where they start.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "datasets/info.h"
#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "tests/fuzz/dataset_mutator.h"
#include "tests/support/graphs.h"
#include "tests/support/temp_folder.h"
#include "train/report.h"
#include "train/run.h"

// HDF5 1.10 loses memory when a checksum of its metadata fails; leaks of our own are still found.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }

namespace kith {
namespace {

std::uint64_t number_in(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// All that checksums guard.
auto arrays_of(const Dataset& dataset) {
  const FeatureView features = dataset.features.view();
  const CsrView graph = dataset.graph.view();
  std::vector<std::vector<EdgeOffset>> levels;
  for (const Communities& level : dataset.levels)
    levels.emplace_back(level.offsets().begin(), level.offsets().end());
  const std::size_t num_bytes = features.num_rows == 0 ? 0 : features.num_rows * features.row_bytes();
  return std::tuple(std::vector(graph.offsets.begin(), graph.offsets.end()),
                    std::vector(graph.neighbors.begin(), graph.neighbors.end()),
                    std::vector(features.data, features.data + num_bytes), levels, dataset.labels.of_node,
                    dataset.labels.indicator, dataset.original_id, dataset.edge_id, dataset.splits.train,
                    dataset.splits.valid, dataset.splits.test);
}

/// What an Error says, which must be one line; nothing if there was none. Other exceptions fail the test.
template <typename Call>
std::optional<std::string> refusal_of(const Call& call) {
  try {
    call();
    return std::nullopt;
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_FALSE(text.empty());
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text;
  }
}

void train_a_step(const Dataset& dataset, Backend& backend) {
  RunOptions run;
  run.model = {.hidden_channels = 4, .num_layers = 2};
  run.loader = {.plan = {.batch_size = 4}, .sampler = {.fanouts = {2, 2}}, .prefetch_depth = 0};
  run.epochs = 1;
  run_training(dataset, backend, run);
}

class MutatedDataset : public testing::Test {
 protected:
  /// Tries every seed on copies of folder_/valid.kith.h5.
  void try_all() {
    const std::string valid = folder_.file("valid.kith.h5");
    const fuzz::DatasetMutator mutator(valid);
    const auto arrays = arrays_of(read_dataset(valid, {.verify_checksums = true, .check_features = true}));
    const auto backend = make_cpu_backend();
    const std::uint64_t first = number_in("KITH_MUTATION_SEED", 0);
    const std::uint64_t count = number_in("KITH_MUTATIONS", 300);
    std::uint64_t num_accepted = 0, num_verified = 0;
    // A crash leaves this file behind.
    const std::string path = folder_.file("damaged.kith.h5");
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
      const fuzz::Damage damage = mutator.write_damaged(seed, path);
      SCOPED_TRACE("KITH_MUTATION_SEED=" + std::to_string(seed) + ", " + damage.what);
      const auto refusal = refusal_of([&] {
        const InfoReport report = inspect_dataset(path, true);
        to_json(report);
        to_text(report);
        ++num_verified;
      });
      for (const bool is_mapped : {true, false}) {
        const auto other = refusal_of([&] {
          const Dataset dataset = read_dataset(path, {.map_features = is_mapped});
          ++num_accepted;
          check_dataset(dataset, "test");
          if (!refusal && !damage.has_new_checksums) {
            EXPECT_EQ(arrays_of(dataset), arrays);
          }
          train_a_step(dataset, *backend);
        });
        if (!refusal && other) {
          EXPECT_EQ(other->find(path), std::string::npos) << *other;
        }
      }
      if (damage.must_be_refused) {
        EXPECT_TRUE(refusal);
      }
      if (HasFailure()) break;
    }
    std::printf("%llu files, %llu readable (twice each), %llu pass --verify\n",
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(num_accepted),
                static_cast<unsigned long long>(num_verified));
    // Were none or all accepted, the mutator would be what needs a test.
    EXPECT_GT(num_accepted, 0U);
    EXPECT_LT(num_verified, count);
  }

  test::TempFolder folder_;
};

TEST_F(MutatedDataset, IsRefusedInOneLineOrWhole) {
  Dataset dataset = test::tiny_dataset();
  for (std::int64_t e = 0; e < dataset.graph.num_edges(); ++e) dataset.edge_id.push_back(e);
  write_dataset(folder_.file("valid.kith.h5"), dataset);
  try_all();
}

}  // namespace
}  // namespace kith
