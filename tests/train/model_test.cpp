#include "train/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "graph/errors.h"
#include "sampler/neighbor_sampler.h"
#include "tests/support/learnable.h"
#include "tests/train/naive_inference.h"
#include "tests/train/one_batch.h"
#include "train/adam.h"
#include "train/device_batch.h"
#include "train/device_data.h"
#include "train/model_adjacency.h"

namespace kith {
namespace {

// Loss of the tenth step; changes only with the model, the sampler or the optimiser.
const std::map<ModelKind, double> kGolden = {{ModelKind::sage, 1.0801221522264761},
                                             {ModelKind::gcn, 1.2785597975571203},
                                             {ModelKind::gat, 1.1590181514687827},
                                             {ModelKind::gin, 0.6789894582897309}};

using Fixture = test::OneBatch;

double mean_loss(Model& model, Backend& backend, const Fixture& f) {
  const DeviceBatch batch = f.batch(backend);
  const ForwardPass pass = model.forward(batch, 1);
  Tensor totals = backend.zero_loss();
  backend.softmax_cross_entropy(pass.logits(), batch.labels, nullptr, totals);
  const LossResult result = backend.read_loss(totals);
  return result.loss / static_cast<double>(result.counted);
}

class ModelKinds : public testing::TestWithParam<ModelKind> {};
INSTANTIATE_TEST_SUITE_P(All, ModelKinds,
                         testing::Values(ModelKind::sage, ModelKind::gcn, ModelKind::gat, ModelKind::gin),
                         [](const auto& info) { return std::string(name_of(info.param)); });

/// Depth of the model, and whether the batch weighs its edges.
const std::vector<std::pair<std::int32_t, bool>> kShapes = {{1, false}, {2, false}, {3, false}, {2, true}};

TEST_P(ModelKinds, GradientsAgreeWithFiniteDifferencesInDoublePrecision) {
  for (const auto& [num_layers, is_unbiased] : kShapes) {
    if (is_unbiased && GetParam() == ModelKind::gat) continue;  // takes no weights
    const Fixture f(GetParam(), num_layers, is_unbiased);
    const bool has_weights = GetParam() == ModelKind::gcn || GetParam() == ModelKind::gin || is_unbiased;
    ASSERT_EQ(f.adjacency.weights.empty(), !has_weights);
    const auto backend = make_cpu_backend();
    Model model(*backend, f.options(GetParam(), num_layers, Scalar::f64));
    for (Parameter* parameter : model.parameters()) {
      // Where dropout takes all of a node's attention, only its bias is left: relu has no slope at 0.
      if (parameter->name.ends_with(".bias")) backend->fill(parameter->value, 0.05);
    }
    const DeviceBatch batch = f.batch(*backend);
    const ForwardPass pass = model.forward(batch, 1);
    Tensor totals = backend->zero_loss();
    model.backward(pass, batch, totals);
    constexpr double kStep = 1e-5;
    for (Parameter* parameter : model.parameters()) {
      const std::vector<double> gradient(parameter->gradient.values<double>().begin(),
                                         parameter->gradient.values<double>().end());
      double largest = 0;
      for (const double g : gradient) largest = std::max(largest, std::abs(g));
      EXPECT_GT(largest, 0) << parameter->name;
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        double& value = parameter->value.values<double>()[i];
        const double kept = value;
        value = kept + kStep;
        const double above = mean_loss(model, *backend, f);
        value = kept - kStep;
        const double below = mean_loss(model, *backend, f);
        value = kept;
        // Relative to the parameter's largest gradient: a single entry may be 0.
        EXPECT_NEAR(gradient[i], (above - below) / (2 * kStep), 1e-6 * std::max(largest, 1e-3))
            << parameter->name << "[" << i << "], " << num_layers << " layers, unbiased " << is_unbiased;
      }
    }
  }
}

TEST_P(ModelKinds, InferenceAgreesWithANaiveLoop) {
  const Fixture f(GetParam());
  const auto backend = make_cpu_backend();
  // 4 hidden channels take the branch that projects before it aggregates, 20 the other one.
  for (const std::int32_t hidden : {4, 20}) {
    ModelOptions options = f.options(GetParam(), 3, Scalar::f64);
    options.hidden_channels = hidden;
    Model model(*backend, options);
    DeviceData data(*backend, f.dataset, GetParam());
    const Tensor logits = model.infer(data.graph());
    const std::vector<double> expected = test::naive_inference(model, f.dataset);
    ASSERT_EQ(logits.size(), static_cast<std::int64_t>(expected.size()));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      // GCN's weights are stored as floats.
      ASSERT_NEAR(logits.values<double>()[i], expected[i], 1e-5 * std::max(1.0, std::abs(expected[i])));
    }
  }
}

TEST_P(ModelKinds, ABatchOfAllNodesAndNeighboursGivesTheLogitsOfInference) {
  const Dataset dataset = test::learnable_dataset();
  const NeighborSampler sampler(dataset.graph.view(), dataset.levels[0], {.fanouts = {-1, -1}, .p_intra = 0.5});
  const std::vector<NodeId> roots = {17, 0, 333};
  MiniBatch batch = sampler.sample(roots, 0, 0);
  const BatchAdjacency adjacency = make_adjacency(GetParam(), batch, dataset.graph.view());
  const auto backend = make_cpu_backend();
  ModelOptions options = Fixture(GetParam()).options(GetParam(), 2, Scalar::f64);
  options.dropout = 0;
  Model model(*backend, options);
  DeviceData data(*backend, dataset, GetParam());
  const std::vector<std::int32_t> labels(roots.size());
  const ForwardPass pass =
      model.forward(to_device(*backend, adjacency, data.features(), batch.input_nodes, labels), 1);
  const Tensor all = model.infer(data.graph());
  for (std::size_t i = 0; i < roots.size(); ++i) {
    for (std::size_t c = 0; c < 4; ++c) {
      EXPECT_NEAR(pass.logits().values<double>()[i * 4 + c], all.values<double>()[roots[i] * 4 + c], 1e-9);
    }
  }
}

TEST_P(ModelKinds, InferenceOfMoreRowsThanAChunkGivesTheLogitsOfBatches) {
  constexpr NodeId kNumNodes = 40'000;  // evaluation takes 16,384 rows at a time
  std::vector<std::pair<NodeId, NodeId>> edges;
  std::vector<float> values;
  for (NodeId v = 0; v < kNumNodes; ++v) {
    for (const NodeId step : {1, 17, 20'011}) {
      if (v % 5 != 0) edges.emplace_back((v + step) % kNumNodes, v);
    }
    for (const NodeId i : {3, 7}) values.push_back(static_cast<float>(v * i % 11) / 11 - 0.5F);
  }
  const CsrGraph graph = test::make_graph(kNumNodes, std::move(edges));
  const FeatureStore features = test::make_features(values, kNumNodes, 2);
  const auto backend = make_cpu_backend();
  ModelOptions options = Fixture(GetParam()).options(GetParam(), 1, Scalar::f64);
  options.in_channels = 2;
  options.dropout = 0;
  Model model(*backend, options);
  WeightedGraph weighted;
  if (GetParam() != ModelKind::sage) weighted = make_whole_graph(GetParam(), graph.view());
  const CsrView whole = GetParam() == ModelKind::sage ? graph.view() : weighted.graph.view();
  const Tensor all = model.infer({.graph = whole, .weights = weighted.weights, .features = features.view()});
  const NeighborSampler sampler(graph.view(), Communities({0, kNumNodes}, kNumNodes, "test"),
                                {.fanouts = {-1}});
  const std::vector<NodeId> roots = {0, 16'383, 16'384, 16'385, 32'767, 32'768, 39'998, 39'999};
  MiniBatch batch = sampler.sample(roots, 0, 0);
  const BatchAdjacency adjacency = make_adjacency(GetParam(), batch, graph.view());
  const std::vector<std::int32_t> labels(roots.size());
  const ForwardPass pass =
      model.forward(to_device(*backend, adjacency, features.view(), batch.input_nodes, labels), 1);
  for (std::size_t i = 0; i < roots.size(); ++i) {
    for (std::size_t c = 0; c < 4; ++c) {
      EXPECT_NEAR(pass.logits().values<double>()[i * 4 + c], all.values<double>()[roots[i] * 4 + c], 1e-9)
          << "node " << roots[i];
    }
  }
}

TEST_P(ModelKinds, TheLossAfterTenStepsIsTheGoldenValue) {
  const Fixture f(GetParam());
  const auto backend = make_cpu_backend();
  Model model(*backend, f.options(GetParam(), 2, Scalar::f64));
  Adam optimizer(*backend, model.parameters(), {.lr = 0.01});
  const DeviceBatch batch = f.batch(*backend);
  double loss = 0;
  for (std::int64_t step = 1; step <= 10; ++step) {
    const ForwardPass pass = model.forward(batch, step);
    Tensor totals = backend->zero_loss();
    model.backward(pass, batch, totals);
    const LossResult result = backend->read_loss(totals);
    loss = result.loss / static_cast<double>(result.counted);
    optimizer.step();
  }
  // Double precision: BLAS and SIMD may differ between machines in the last bits only.
  EXPECT_NEAR(loss, kGolden.at(GetParam()), 1e-9);
}

TEST_P(ModelKinds, RefusesABatchOfAnotherDepthAndFeaturesOfAnotherWidth) {
  const Fixture f(GetParam());
  const auto backend = make_cpu_backend();
  Model deeper(*backend, f.options(GetParam(), 3, Scalar::f32));
  EXPECT_THROW(deeper.forward(f.batch(*backend), 1), InvalidArgument);
  ModelOptions wider = f.options(GetParam(), 2, Scalar::f32);
  wider.in_channels = 9;
  Model wide(*backend, wider);
  EXPECT_THROW(wide.forward(f.batch(*backend), 1), InvalidArgument);
}

TEST(Model, TheDropoutOfAttentionChangesWithTheStepAndNotInEvaluation) {
  const Fixture f(ModelKind::gat, 1);  // one layer: there is no other dropout
  const auto backend = make_cpu_backend();
  const auto loss_at = [&](double rate, std::int64_t step) {
    ModelOptions options = f.options(ModelKind::gat, 1, Scalar::f64);
    options.dropout = rate;
    Model model(*backend, options);
    const DeviceBatch batch = f.batch(*backend);
    const ForwardPass pass = model.forward(batch, step);
    Tensor totals = backend->zero_loss();
    backend->softmax_cross_entropy(pass.logits(), batch.labels, nullptr, totals);
    return backend->read_loss(totals).loss;
  };
  EXPECT_EQ(loss_at(0.3, 1), loss_at(0.3, 1));
  EXPECT_NE(loss_at(0.3, 1), loss_at(0.3, 2));
  EXPECT_EQ(loss_at(0, 1), loss_at(0, 2));
  double mean = 0;  // kept weights are scaled up, so the loss stays near that without dropout
  for (std::int64_t step = 0; step < 200; ++step) mean += loss_at(0.1, step) / 200;
  EXPECT_NEAR(mean, loss_at(0, 1), 0.1 * loss_at(0, 1));
}

TEST(Model, KindsHaveNames) {
  for (const ModelKind kind : {ModelKind::sage, ModelKind::gcn, ModelKind::gat, ModelKind::gin}) {
    EXPECT_EQ(parse_model_kind(name_of(kind)), kind);
  }
  EXPECT_THROW(parse_model_kind("gat2"), InvalidArgument);
  EXPECT_THROW(parse_model_kind(""), InvalidArgument);
}

TEST(Model, RefusesOptionsOutOfRange) {
  const auto backend = make_cpu_backend();
  const ModelOptions good{.in_channels = 2, .out_channels = 2};
  EXPECT_NO_THROW(Model(*backend, good));
  for (const auto& spoil : std::vector<void (*)(ModelOptions&)>{
           [](ModelOptions& o) { o.num_layers = 0; }, [](ModelOptions& o) { o.hidden_channels = 0; },
           [](ModelOptions& o) { o.in_channels = 0; }, [](ModelOptions& o) { o.out_channels = 0; },
           [](ModelOptions& o) { o.dropout = 1; }, [](ModelOptions& o) { o.dropout = -0.1; },
           [](ModelOptions& o) { o.heads = 2; }, [](ModelOptions& o) { o.heads = 0; },
           [](ModelOptions& o) {
             o.kind = ModelKind::gat;
             o.heads = 3;  // 256 channels
           }}) {
    ModelOptions bad = good;
    spoil(bad);
    EXPECT_THROW(Model(*backend, bad), InvalidArgument);
  }
}

}  // namespace
}  // namespace kith
