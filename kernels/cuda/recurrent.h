// What a recurrent network over tokens needs, on the device. Shapes are checked by the caller.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/cuda/context.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// What lstm_cell_backward reads; see Backend.
struct LstmCellPass {
  const Tensor& gates;
  const Tensor& previous_cell;
  const Tensor& cell;
  const Tensor& grad_hidden;
};

void embed(const Context& context, const Tensor& table, std::span<const std::int32_t> ids, Tensor& out);

/// One thread a column adds the rows in order: the same bits in every run.
void embed_backward(const Context& context, std::span<const std::int32_t> ids, const Tensor& grad_out,
                    Tensor& grad_table);

void lstm_cell(const Context& context, Tensor& gates, const Tensor& previous_cell, Tensor& cell,
               Tensor& hidden);
void lstm_cell_backward(const Context& context, const LstmCellPass& pass, Tensor& grad_cell,
                        Tensor& grad_gates);

/// sum += the squares of all values of x. sum: [1 x 1] f64.
void add_squares(const Context& context, const Tensor& x, Tensor& sum);

/// x *= max_norm / sqrt(sum), where that is below 1.
void clip(const Context& context, const Tensor& sum, double max_norm, Tensor& x);

}  // namespace kith::cuda
