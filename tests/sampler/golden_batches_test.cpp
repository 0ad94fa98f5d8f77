// A few batches as text. The file is a contract: the same options, epoch and batch index give these bits in
// every release and on every device; another implementation of the sampler has to reproduce it.
//
// To write it anew, after a change of the random numbers that CHANGELOG.md has to announce:
//   KITH_WRITE_GOLDEN=1 build/release/tests/sampler_tests --gtest_filter='GoldenBatches.*'
#include "tests/sampler/golden_batches.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <string>
#include <vector>

#include "sampler/sampler.h"
#include "tests/sampler/random_graphs.h"

namespace kith {
namespace {

constexpr const char* kHeader =
    "# Batches of tests/sampler/golden_batches_test.cpp, which says how to write this file anew.\n"
    "# Graphs and communities are those of tests/sampler/random_graphs.h. Weights have nine digits: f32 "
    "exactly.\n";

template <typename T>
void write(std::ostream& out, const char* name, const std::vector<T>& values) {
  out << name << ' ' << values.size();
  for (const T& value : values) out << ' ' << value;
  out << '\n';
}

void write(std::ostream& out, const char* name, const MiniBatch& batch) {
  out << "\nbatch " << name << '\n';
  write(out, "input_nodes", batch.input_nodes);
  write(out, "hop_bounds", batch.hop_bounds);
  write(out, "offsets", batch.offsets);
  write(out, "sources", batch.sources);
  write(out, "edges", batch.edges);
  write(out, "weights", batch.weights);
  out << "num_intra_edges " << batch.num_intra_edges << '\n';
}

std::string golden_text() {
  std::ostringstream out;
  out << kHeader << std::setprecision(9);
  const Communities communities = test::equal_communities(200, 20);
  for (test::Golden golden : test::golden_batches()) {
    golden.options.keep_edges = true;
    const CsrGraph graph = test::messy_graph(golden.graph_seed);
    const Sampler sampler(graph.view(), communities, golden.options);
    write(out, golden.name, sampler.sample(golden.roots, golden.epoch, golden.batch_index));
  }
  const CsrGraph star = test::star_graph(100'000);
  for (const double p : {0.5, 0.8}) {
    const Sampler sampler(star.view(), Communities({0, 40'001, 100'001}, 100'001, "golden"),
                          {.fanouts = {100}, .p_intra = p, .keep_edges = true, .seed = 7});
    write(out, p == 0.5 ? "a hub" : "a hub, biased", sampler.sample(std::vector<NodeId>{0}, 3, 9));
  }
  return out.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(GoldenBatches, AreWhatTheSamplerGives) {
  const std::string text = golden_text();
  if (std::getenv("KITH_WRITE_GOLDEN") != nullptr) {
    std::ofstream(KITH_GOLDEN_BATCHES) << text;
    GTEST_SKIP() << "wrote " << KITH_GOLDEN_BATCHES;
  }
  std::ifstream in(KITH_GOLDEN_BATCHES);
  ASSERT_TRUE(in) << "cannot read " << KITH_GOLDEN_BATCHES;
  const std::string golden{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto expected = lines_of(golden), found = lines_of(text);
  std::string batch;
  for (std::size_t i = 0; i < std::min(expected.size(), found.size()); ++i) {
    if (expected[i].starts_with("batch ")) batch = expected[i];
    ASSERT_EQ(found[i], expected[i]) << "line " << i + 1 << ", " << batch;
  }
  EXPECT_EQ(found.size(), expected.size());
}

}  // namespace
}  // namespace kith
