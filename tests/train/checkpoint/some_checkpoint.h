// A checkpoint with something in every field.
#pragma once

#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "train/checkpoint/checkpoint.h"

namespace kith::test {

inline HostTensor f32_tensor(std::string name, std::int64_t rows, std::int64_t cols, float first) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < rows * cols; ++i) values.push_back(first + 0.1F * static_cast<float>(i));
  HostTensor tensor{.name = std::move(name), .rows = rows, .cols = cols, .bytes = {}};
  tensor.bytes.resize(values.size() * sizeof(float));
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

inline Checkpoint some_checkpoint() {
  const EpochReport epoch{
      .epoch = 0,
      .train_loss = 1.0 / 3,
      .valid_accuracy = 0.7,
      .seconds = {.total = 1.5, .sample = 0.1, .evaluate = 0.2},
      .stats = {.batches = 3, .roots = 70, .input_nodes = 123, .label_entropy_bits = 2.0 / 7},
      .traffic = {.rows = 5, .hits = 4, .disk_bytes = std::int64_t{1} << 40}};
  EpochReport running = epoch;
  running.epoch = 1;
  running.valid_accuracy = std::numeric_limits<double>::quiet_NaN();
  Checkpoint checkpoint{.request = R"({"options":{"model":"sage"}})",
                        .in_channels = 2,
                        .out_channels = 3,
                        .progress = {.epochs = {epoch},
                                     .best_epoch = 0,
                                     .best_valid_accuracy = 0.7,
                                     .seconds_to_best = 1.5,
                                     .total_seconds = 9,
                                     .checkpoints = {.count = 2, .stall_seconds = 0.1, .write_seconds = 0.3}},
                        .running = running,
                        .running_loss = {.loss = 12.25, .correct = 7, .counted = 20},
                        .next_batch = 2};
  checkpoint.trainer = {.step = 5,
                        .num_optimizer_steps = 4,
                        .parameters = {f32_tensor("w", 2, 3, 1), f32_tensor("b", 1, 3, -2)},
                        .optimizer = {f32_tensor("w", 2, 3, 0.5F), f32_tensor("w", 2, 3, 7),
                                      f32_tensor("b", 1, 3, 3), f32_tensor("b", 1, 3, 4)}};
  checkpoint.best_parameters = {f32_tensor("w", 2, 3, 1.5F), f32_tensor("b", 1, 3, -2.5F)};
  return checkpoint;
}

}  // namespace kith::test
