// What the LSTM of the prefetcher needs, on the device. Shapes are checked by the caller.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/cuda/context.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// See Backend::embed_backward.
void embed_backward(const Context& context, std::span<const std::int32_t> ids, const Tensor& grad_out,
                    Tensor& grad_table);

/// See Backend::lstm_cell.
void lstm_cell(const Context& context, Tensor& gates, const Tensor& previous_cell, Tensor& cell,
               Tensor& hidden);

/// The arguments of Backend::lstm_cell_backward that are read.
struct LstmCellPass {
  const Tensor& gates;
  const Tensor& previous_cell;
  const Tensor& cell;
  const Tensor& grad_hidden;
};

/// See Backend::lstm_cell_backward.
void lstm_cell_backward(const Context& context, const LstmCellPass& pass, Tensor& grad_cell,
                        Tensor& grad_gates);

/// See Backend::clip_gradients. Waits for the stream: the host decides by the norm.
double clip_gradients(const Context& context, std::span<Tensor* const> gradients, double max_norm);

}  // namespace kith::cuda
