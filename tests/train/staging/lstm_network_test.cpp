#include "train/staging/lstm_network.h"

#include <gtest/gtest.h>

#include <cmath>

#include "graph/errors.h"

namespace kith {
namespace {

constexpr LstmShape kSmall{.num_tokens = 5,
                           .num_contexts = 3,
                           .token_dim = 4,
                           .context_dim = 2,
                           .units = 6,
                           .scalar = Scalar::f64,
                           .seed = 7};
// Two sequences of four steps; the rest of a target is not counted.
const std::vector<std::int32_t> kTokens{0, 3, 1, 1, 4, 0, 2, 1};
const std::vector<std::int32_t> kContexts{0, 2, 0, 2, 1, 2, 1, 0};
const std::vector<std::int32_t> kTargets{1, 1, 4, 0, 2, kNoLabel, 3, 3};
const TokenWindow kWindow{.num_sequences = 2, .tokens = kTokens, .contexts = kContexts};

std::vector<double> values_of(Backend& backend, const Tensor& x) {
  std::vector<double> values(static_cast<std::size_t>(x.size()));
  backend.download(x, values);
  return values;
}

TEST(LstmNetwork, GradientsAgreeWithFiniteDifferences) {
  const auto backend = make_cpu_backend();
  LstmNetwork network(*backend, kSmall);
  network.compute_gradients(kWindow, kTargets);
  std::vector<std::vector<double>> gradients;
  for (const Parameter* parameter : network.parameters()) {
    gradients.push_back(values_of(*backend, parameter->gradient));
  }
  const auto loss = [&] {
    const LossResult result = network.compute_gradients(kWindow, kTargets);
    return result.loss / static_cast<double>(result.counted);
  };
  constexpr double kStep = 1e-5;
  const std::vector<Parameter*> parameters = network.parameters();
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    std::vector<double> values = values_of(*backend, parameters[p]->value);
    double largest = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double before = values[i];
      const auto loss_at = [&](double value) {
        values[i] = value;
        backend->upload(values, parameters[p]->value);
        return loss();
      };
      const double slope = (loss_at(before + kStep) - loss_at(before - kStep)) / (2 * kStep);
      loss_at(before);
      EXPECT_NEAR(gradients[p][i], slope, 1e-8) << parameters[p]->name << " at " << i;
      largest = std::max(largest, std::abs(slope));
    }
    EXPECT_GT(largest, 1e-4) << parameters[p]->name << " has no effect";
  }
}

TEST(LstmNetwork, CarriesItsStateFromCallToCall) {
  const auto backend = make_cpu_backend();
  const LstmNetwork network(*backend, kSmall);
  LstmState whole = network.zero_state(2);
  const std::vector<double> at_once = values_of(*backend, network.forward(kWindow, whole));
  LstmState pieces = network.zero_state(2);
  std::vector<double> in_pieces;
  for (const auto& [first, count] : {std::pair<std::size_t, std::size_t>{0, 2}, {2, 6}}) {
    const Tensor logits = network.forward({.num_sequences = 2,
                                           .tokens = std::span(kTokens).subspan(first, count),
                                           .contexts = std::span(kContexts).subspan(first, count)},
                                          pieces);
    const std::vector<double> values = values_of(*backend, logits);
    in_pieces.insert(in_pieces.end(), values.begin(), values.end());
  }
  ASSERT_EQ(in_pieces.size(), at_once.size());
  for (std::size_t i = 0; i < at_once.size(); ++i) EXPECT_NEAR(in_pieces[i], at_once[i], 1e-12);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_NE(values_of(*backend, whole.hidden[i]), values_of(*backend, network.zero_state(2).hidden[i]));
  }
}

TEST(LstmNetwork, CopiesParameters) {
  const auto backend = make_cpu_backend();
  LstmShape other = kSmall;
  other.seed = 8;
  LstmNetwork a(*backend, kSmall), b(*backend, other);
  EXPECT_NE(values_of(*backend, a.parameters()[0]->value), values_of(*backend, b.parameters()[0]->value));
  b.copy_parameters_from(a);
  EXPECT_EQ(values_of(*backend, a.parameters()[0]->value), values_of(*backend, b.parameters()[0]->value));
}

TEST(LstmNetwork, RefusesEmptySizes) {
  const auto backend = make_cpu_backend();
  LstmShape shape = kSmall;
  shape.units = 0;
  EXPECT_THROW(LstmNetwork(*backend, shape), InvalidArgument);
}

}  // namespace
}  // namespace kith
