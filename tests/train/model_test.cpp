#include "train/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "graph/errors.h"
#include "sampler/neighbor_sampler.h"
#include "tests/support/learnable.h"
#include "train/adam.h"
#include "train/device_batch.h"
#include "train/device_data.h"

namespace kith {
namespace {

// Loss of the tenth step; changes only with the model, the sampler or the optimiser.
constexpr double kGoldenSage = 1.0801221522264761;
constexpr double kGoldenGcn = 1.2785597975571203;

/// One sampled batch of a small dataset, ready for a model.
struct Fixture {
  Dataset dataset = test::learnable_dataset();
  std::vector<NodeId> input_nodes;
  BatchAdjacency adjacency;
  std::vector<std::int32_t> labels;

  explicit Fixture(ModelKind kind, std::int32_t num_layers = 2, bool is_unbiased = false) {
    const NeighborSampler sampler(
        dataset.graph.view(), dataset.levels[0],
        {.fanouts = std::vector<std::int32_t>(num_layers, 3), .p_intra = 0.7, .is_unbiased = is_unbiased});
    const std::vector<NodeId> roots = {3, 50, 51, 200, 399};
    MiniBatch batch = sampler.sample(roots, 0, 0);
    input_nodes = batch.input_nodes;
    adjacency =
        kind == ModelKind::gcn ? make_gcn_adjacency(batch, dataset.graph.view()) : take_mean_adjacency(batch);
    for (const NodeId root : roots) labels.push_back(dataset.labels.of_node[root]);
    labels[1] = kNoLabel;
  }

  /// The batch on `backend`'s device; refers to the fixture.
  DeviceBatch batch(Backend& backend) const {
    DeviceBatch result = to_device(backend, adjacency, dataset.features.view(), input_nodes, labels);
    backend.wait_for(result.arrays);
    return result;
  }

  ModelOptions options(ModelKind kind, std::int32_t num_layers, Scalar scalar) const {
    return {.kind = kind,
            .in_channels = 8,
            .hidden_channels = 5,
            .out_channels = 4,
            .num_layers = num_layers,
            .dropout = 0.3,
            .scalar = scalar,
            .seed = 7};
  }
};

double mean_loss(Model& model, Backend& backend, const Fixture& f) {
  const DeviceBatch batch = f.batch(backend);
  const ForwardPass pass = model.forward(batch, 1);
  Tensor totals = backend.zero_loss();
  backend.softmax_cross_entropy(pass.logits(), batch.labels, nullptr, totals);
  const LossResult result = backend.read_loss(totals);
  return result.loss / static_cast<double>(result.counted);
}

class ModelKinds : public testing::TestWithParam<ModelKind> {};
INSTANTIATE_TEST_SUITE_P(All, ModelKinds, testing::Values(ModelKind::sage, ModelKind::gcn),
                         [](const auto& info) { return std::string(name_of(info.param)); });

/// Depth of the model, and whether the batch weighs its edges.
const std::vector<std::pair<std::int32_t, bool>> kShapes = {{1, false}, {2, false}, {3, false}, {2, true}};

TEST_P(ModelKinds, GradientsAgreeWithFiniteDifferencesInDoublePrecision) {
  for (const auto& [num_layers, is_unbiased] : kShapes) {
    const Fixture f(GetParam(), num_layers, is_unbiased);
    ASSERT_EQ(f.adjacency.weights.empty(), GetParam() == ModelKind::sage && !is_unbiased);
    const auto backend = make_cpu_backend();
    Model model(*backend, f.options(GetParam(), num_layers, Scalar::f64));
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

// Written out by hand: layer by layer over dense vectors, in double precision.
std::vector<double> naive_inference(Model& model, const Dataset& dataset) {
  const CsrView graph = dataset.graph.view();
  const auto n = static_cast<std::size_t>(graph.num_nodes());
  const auto* table = reinterpret_cast<const float*>(dataset.features.view().data);
  std::size_t width = 8;
  std::vector<double> x(table, table + n * width);
  const auto parameters = model.parameters();
  const bool is_sage = model.options().kind == ModelKind::sage;
  const std::size_t stride = is_sage ? 3 : 2;
  for (std::size_t layer = 0; layer * stride < parameters.size(); ++layer) {
    const auto weight = parameters[layer * stride]->value.values<double>();
    const auto bias = parameters[layer * stride + 1]->value.values<double>();
    const std::size_t out_width = bias.size();
    const bool is_last = (layer + 1) * stride == parameters.size();
    std::vector<double> next(n * out_width);
    for (std::size_t v = 0; v < n; ++v) {
      std::vector<double> sum(width);
      const auto row = graph.row(static_cast<NodeId>(v));
      const auto degree = [&](std::size_t u) { return graph.degree(static_cast<NodeId>(u)) + 1.0; };
      for (const NodeId u : row) {
        const double w = is_sage ? 1.0 / static_cast<double>(row.size()) : 1 / std::sqrt(degree(u) * degree(v));
        for (std::size_t i = 0; i < width; ++i) sum[i] += w * x[u * width + i];
      }
      for (std::size_t i = 0; !is_sage && i < width; ++i) sum[i] += x[v * width + i] / degree(v);
      for (std::size_t o = 0; o < out_width; ++o) {
        double y = bias[o];
        for (std::size_t i = 0; i < width; ++i) {
          y += sum[i] * weight[i * out_width + o];
          if (is_sage)
            y += x[v * width + i] * parameters[layer * stride + 2]->value.values<double>()[i * out_width + o];
        }
        next[v * out_width + o] = is_last ? y : std::max(y, 0.0);
      }
    }
    x = std::move(next);
    width = out_width;
  }
  return x;
}

TEST_P(ModelKinds, InferenceAgreesWithANaiveLoop) {
  const Fixture f(GetParam());
  const auto backend = make_cpu_backend();
  // 3 hidden channels take the branch that projects before it aggregates, 20 the other one.
  for (const std::int32_t hidden : {3, 20}) {
    ModelOptions options = f.options(GetParam(), 3, Scalar::f64);
    options.hidden_channels = hidden;
    Model model(*backend, options);
    DeviceData data(*backend, f.dataset, GetParam());
    const Tensor logits = model.infer(data.graph());
    const std::vector<double> expected = naive_inference(model, f.dataset);
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
  const BatchAdjacency adjacency = GetParam() == ModelKind::gcn
                                       ? make_gcn_adjacency(batch, dataset.graph.view())
                                       : take_mean_adjacency(batch);
  const auto backend = make_cpu_backend();
  Model model(*backend, {.kind = GetParam(),
                         .in_channels = 8,
                         .hidden_channels = 5,
                         .out_channels = 4,
                         .num_layers = 2,
                         .dropout = 0,
                         .scalar = Scalar::f64});
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
  const double golden = GetParam() == ModelKind::sage ? kGoldenSage : kGoldenGcn;
  EXPECT_NEAR(loss, golden, 1e-9);
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

TEST(Model, RefusesOptionsOutOfRange) {
  const auto backend = make_cpu_backend();
  const ModelOptions good{.in_channels = 2, .out_channels = 2};
  EXPECT_NO_THROW(Model(*backend, good));
  for (const auto& spoil : std::vector<void (*)(ModelOptions&)>{
           [](ModelOptions& o) { o.num_layers = 0; }, [](ModelOptions& o) { o.hidden_channels = 0; },
           [](ModelOptions& o) { o.in_channels = 0; }, [](ModelOptions& o) { o.out_channels = 0; },
           [](ModelOptions& o) { o.dropout = 1; }, [](ModelOptions& o) { o.dropout = -0.1; }}) {
    ModelOptions bad = good;
    spoil(bad);
    EXPECT_THROW(Model(*backend, bad), InvalidArgument);
  }
}

}  // namespace
}  // namespace kith
