// What a recurrent network over tokens needs. Shapes and ids are checked by the caller.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/tensor.h"

namespace kith::cpu {

/// What lstm_cell_backward reads; see Backend.
struct LstmCellPass {
  const Tensor& gates;
  const Tensor& previous_cell;
  const Tensor& cell;
  const Tensor& grad_hidden;
};

void embed(const Tensor& table, std::span<const std::int32_t> ids, Tensor& out);
void embed_backward(std::span<const std::int32_t> ids, const Tensor& grad_out, Tensor& grad_table);

void lstm_cell(Tensor& gates, const Tensor& previous_cell, Tensor& cell, Tensor& hidden);
void lstm_cell_backward(const LstmCellPass& pass, Tensor& grad_cell, Tensor& grad_gates);

double clip_gradients(std::span<Tensor* const> gradients, double max_norm);

}  // namespace kith::cpu
