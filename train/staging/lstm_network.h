// Embeddings of token and context -> two LSTM layers -> softmax over the next token (Hashemi et al., arXiv
// 1803.02329, section 4.1, with the context in the place of the program counter).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "train/layer.h"

namespace kith {

/// Sizes of the network.
struct LstmShape {
  std::int32_t num_tokens = 0;
  std::int32_t num_contexts = 1;
  std::int32_t token_dim = 32;
  std::int32_t context_dim = 8;
  std::int32_t units = 64;  ///< of each layer
  Scalar scalar = Scalar::f32;
  std::uint64_t seed = 0;
};

/// n sequences of the same length side by side; step t of sequence i stands at [t * n + i].
struct TokenWindow {
  std::int32_t num_sequences = 1;
  std::span<const std::int32_t> tokens;
  std::span<const std::int32_t> contexts;
};

/// Where n sequences stand: [n x units] a layer.
struct LstmState {
  std::array<Tensor, 2> hidden, cell;
};

/// Owns parameters and gradients. One thread at a time.
class LstmNetwork {
 public:
  /// `backend` must outlive it.
  LstmNetwork(Backend& backend, const LstmShape& shape);

  LstmState zero_state(std::int32_t num_sequences) const;
  LstmState clone(const LstmState& state) const;

  /// Logits of the token that follows each step, [steps * n x num_tokens]. Moves `state` on.
  Tensor forward(const TokenWindow& window, LstmState& state) const;

  /// Sets all gradients to those of the mean loss over the window, from a state of zeros: back-propagation
  /// through time, cut at the window's start. targets: [steps * n], kNoLabel = not counted.
  LossResult compute_gradients(const TokenWindow& window, std::span<const std::int32_t> targets);

  std::vector<Parameter*> parameters();
  void copy_parameters_from(const LstmNetwork& other);
  Backend& backend() const { return backend_; }

 private:
  /// Of a window, in the device's memory.
  struct Ids {
    std::span<const std::int32_t> tokens, contexts;
  };
  /// What forward keeps for backward. hidden, cell: [(steps + 1) * n x units], the state before the window
  /// first.
  struct LayerPass {
    Tensor gates, hidden, cell;
  };
  struct Pass {
    Tensor token_rows, context_rows;
    std::array<LayerPass, 2> layers;
    Tensor logits;
  };
  enum Index : std::size_t {
    kTokenTable,
    kContextTable,
    kTokenWeight,
    kContextWeight,
    kRecurrent0,
    kBias0,
    kInput1,
    kRecurrent1,
    kBias1,
    kOutput,
    kOutputBias,
    kNumParameters
  };

  Tensor& value(Index index) { return parameters_[index].value; }
  const Tensor& value(Index index) const { return parameters_[index].value; }
  Tensor& gradient(Index index) { return parameters_[index].gradient; }

  Tensor empty(std::int64_t rows, std::int64_t cols) const { return backend_.empty(rows, cols, shape_.scalar); }
  Pass run(const Ids& ids, std::int64_t n, const LstmState& state) const;
  /// Runs the steps of a layer over pass.gates, which holds what its input adds.
  void run_layer(std::int64_t n, const Tensor& recurrent, LayerPass& pass) const;
  /// Turns the gradient by each step's hidden state into that by its gates' sums, and sets that of `recurrent`.
  Tensor run_layer_backward(std::int64_t n, Index recurrent, const LayerPass& pass, Tensor& grad_hidden);

  Backend& backend_;
  LstmShape shape_;
  std::vector<Parameter> parameters_;
};

}  // namespace kith
