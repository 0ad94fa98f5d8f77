#include "kernels/cuda/cuda_backend.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "graph/errors.h"
#include "kernels/cuda/aggregate.h"
#include "kernels/cuda/aggregate_max.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/copy_rows.h"
#include "kernels/cuda/dense.h"
#include "kernels/cuda/device_scope.h"
#include "kernels/cuda/dropout.h"
#include "kernels/cuda/edge_ops.h"
#include "kernels/cuda/edge_scores.h"
#include "kernels/cuda/head_dot.h"
#include "kernels/cuda/recurrent.h"
#include "kernels/cuda/training.h"
#include "kernels/op_check.h"

namespace kith::cuda {
namespace {

DeviceTraits read_traits() {
  int device = 0;
  CUDA_CHECK(cudaGetDevice(&device));
  const auto attribute = [&](cudaDeviceAttr which) {
    int value = 0;
    CUDA_CHECK(cudaDeviceGetAttribute(&value, which, device));
    return value;
  };
  return {
      .l2_bytes = static_cast<std::size_t>(attribute(cudaDevAttrL2CacheSize)),
      .num_multiprocessors = attribute(cudaDevAttrMultiProcessorCount),
      .shared_bytes_per_block = static_cast<std::size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin))};
}

/// What was freed and stays with the process, for the next request.
std::size_t unused_in_pool() {
  int device = 0;
  CUDA_CHECK(cudaGetDevice(&device));
  cudaMemPool_t pool{};
  CUDA_CHECK(cudaDeviceGetDefaultMemPool(&pool, device));
  const auto bytes = [&](cudaMemPoolAttr which) {
    std::uint64_t value = 0;
    CUDA_CHECK(cudaMemPoolGetAttribute(pool, which, &value));
    return value;
  };
  const std::uint64_t used = bytes(cudaMemPoolAttrUsedMemCurrent);
  return static_cast<std::size_t>(std::max(bytes(cudaMemPoolAttrReservedMemCurrent), used) - used);
}

}  // namespace

CudaBackend::Stream::Stream() { CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }

CudaBackend::Stream::~Stream() { static_cast<void>(cudaStreamDestroy(stream_)); }

CudaBackend::CudaBackend(const BackendOptions& options)
    : lent_device_(options.stream ? std::optional(options.stream->device) : std::nullopt),
      memory_(StreamMemory::create(options.stream)),
      context_{.stream = memory_->stream(), .memory = *memory_, .traits = read_traits()},
      allow_tf32_(options.allow_tf32),
      products_(options.stream ? nullptr : std::make_unique<DenseProducts>(context_, options.allow_tf32)),
      sparse_(options.use_cusparse ? std::make_unique<SparseProducts>(context_.stream, options.sparse_algorithm)
                                   : nullptr),
      gathering_(options.gathering) {}

CudaBackend::~CudaBackend() {
  // What was given back is freed in the order of the stream; its owner need not wait.
  if (!lent_device_) static_cast<void>(cudaStreamSynchronize(context_.stream));
}

void CudaBackend::run(const std::function<void()>& operations) {
  const DeviceScope scope(lent_device_);
  operations();
}

DenseProducts& CudaBackend::products() {
  if (!products_) products_ = std::make_unique<DenseProducts>(context_, allow_tf32_);
  return *products_;
}

Tensor CudaBackend::empty(std::int64_t rows, std::int64_t cols, Scalar scalar) {
  op_check::empty(rows, cols);
  return memory_->acquire(rows, cols, scalar);
}

void CudaBackend::fill(Tensor& x, double value) { cuda::fill(context_, value, x); }

void CudaBackend::copy(const Tensor& from, Tensor& to) {
  op_check::same_shape("Backend::copy", "to", to, from);
  CUDA_CHECK(cudaMemcpyAsync(to.data<std::byte>(), from.data<std::byte>(),
                             static_cast<std::size_t>(from.size()) * size_of(from.scalar()),
                             cudaMemcpyDeviceToDevice, context_.stream));
}

void CudaBackend::upload(std::span<const double> values, Tensor& to) {
  op_check::same_size("Backend::upload", values.size(), to);
  const auto send = [&](const auto& converted) {
    CUDA_CHECK(cudaMemcpyAsync(to.data<std::byte>(), converted.data(), converted.size() * sizeof(converted[0]),
                               cudaMemcpyHostToDevice, context_.stream));
    CUDA_CHECK(cudaStreamSynchronize(context_.stream));
  };
  if (to.scalar() == Scalar::f64) return send(values);
  std::vector<float> converted(values.size());
  std::ranges::transform(values, converted.begin(), [](double x) { return static_cast<float>(x); });
  send(converted);
}

void CudaBackend::download(const Tensor& from, std::span<double> values) {
  op_check::same_size("Backend::download", values.size(), from);
  const auto receive = [&](auto& target) {
    CUDA_CHECK(cudaMemcpyAsync(target.data(), from.data<std::byte>(), target.size() * sizeof(target[0]),
                               cudaMemcpyDeviceToHost, context_.stream));
    CUDA_CHECK(cudaStreamSynchronize(context_.stream));
  };
  if (from.scalar() == Scalar::f64) return receive(values);
  std::vector<float> stored(values.size());
  receive(stored);
  std::ranges::copy(stored, values.begin());
}

DeviceArrays CudaBackend::to_device(std::span<const std::span<const std::byte>> arrays) {
  std::size_t total = 0;
  for (const auto& array : arrays) total += PinnedBlocks::padded(array.size());
  std::vector<Tensor::Buffer> memory;
  memory.push_back(memory_->acquire_on(copies_.get(), total));
  // Made before the copies, so that memory is never given back while one is on its way, whatever throws.
  Tensor::Buffer ready = make_event(copies_.get(), context_.stream);
  pinned_.copy_to_device(arrays, memory.front().get(), copies_.get());
  CUDA_CHECK(cudaEventRecord(event_of(ready), copies_.get()));
  std::vector<std::span<const std::byte>> placed;
  std::size_t offset = 0;
  for (const auto& array : arrays) {
    placed.emplace_back(memory.front().get() + offset, array.size());
    offset += PinnedBlocks::padded(array.size());
  }
  return {std::move(placed), std::move(memory), std::move(ready)};
}

DeviceArrays CudaBackend::table_to_device(std::span<const std::byte> table) {
  constexpr double kReserve = 0.25;  // of the free memory, for the graph and what training needs
  if (static_cast<double>(table.size()) <= (1 - kReserve) * static_cast<double>(*free_bytes())) {
    return to_device(std::span(&table, 1));
  }
  return table_to_host(table);
}

DeviceArrays CudaBackend::table_to_host(std::span<const std::byte> table) {
  std::vector<Tensor::Buffer> pinned;
  pinned.push_back(make_pinned(table.size()));
  std::memcpy(pinned.front().get(), table.data(), table.size());
  const std::span<const std::byte> placed(pinned.front().get(), table.size());
  return {{placed}, std::move(pinned)};
}

std::optional<std::int64_t> CudaBackend::free_bytes() {
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes));
  return static_cast<std::int64_t>(free_bytes + unused_in_pool());
}

void CudaBackend::wait_for(const DeviceArrays& arrays) {
  if (arrays.ready()) CUDA_CHECK(cudaStreamWaitEvent(context_.stream, event_of(arrays.ready()), 0));
}

void CudaBackend::read_rows(FeatureView table, std::int64_t first, Tensor& out) {
  op_check::read_rows(table, first, out);
  cuda::gather(context_, Rows::of(table.rows(first, out.rows()), nullptr), out);
}

void CudaBackend::gather(FeatureView table, std::span<const NodeId> ids, Tensor& out) {
  op_check::gather(table, ids, out);
  cuda::gather(context_, Rows::of(table, ids.data()), out);
}

void CudaBackend::aggregate(BlockCsrView block, std::span<const float> weights, const Tensor& x, Tensor& out) {
  op_check::aggregate(block, weights, x, out);
  if (sparse_) return sparse_->aggregate(context_, block, weights, x, out);
  cuda::aggregate(context_, adjacency_of(block, weights), Rows::of(x), out);
}

void CudaBackend::aggregate(BlockCsrView block, std::span<const float> weights, FeatureView table,
                            std::span<const NodeId> ids, Tensor& out) {
  op_check::aggregate(block, weights, table, ids, out);
  const Rows in_table = Rows::of(table, ids.data());
  const auto gathered = [&] {
    Tensor rows = empty(block.num_sources, table.dim, out.scalar());
    cuda::gather(context_, in_table, rows);
    return rows;
  };
  if (sparse_) return sparse_->aggregate(context_, block, weights, gathered(), out);  // it has no gather
  const Adjacency<std::int32_t> adjacency = adjacency_of(block, weights);
  gathering_.run(
      context_.stream, GatheringClass::of(block, in_table, out.scalar()),
      [&] { cuda::aggregate(context_, adjacency, in_table, out); },
      [&] {
        const Tensor rows = gathered();
        cuda::aggregate(context_, adjacency, Rows::of(rows), out);
      });
}

void CudaBackend::aggregate_backward(BlockCsrView block, std::span<const float> weights, const Tensor& grad_out,
                                     Tensor& grad_x) {
  op_check::aggregate_backward(block, weights, grad_out, grad_x);
  if (sparse_) return sparse_->aggregate_backward(context_, block, weights, grad_out, grad_x);
  cuda::aggregate_backward(context_, block, weights, grad_out, grad_x);
}

void CudaBackend::aggregate_heads(BlockCsrView block, const Tensor& weights, const Tensor& x, Tensor& out) {
  op_check::aggregate_heads(block, weights, x, out);
  cuda::aggregate_heads(context_, block, weights, x, out);
}

void CudaBackend::aggregate_heads_backward(BlockCsrView block, const Tensor& weights, const Tensor& grad_out,
                                           Tensor& grad_x) {
  op_check::aggregate_heads_backward(block, weights, grad_out, grad_x);
  cuda::aggregate_heads_backward(context_, block, weights, grad_out, grad_x);
}

void CudaBackend::edge_dot(BlockCsrView block, const Tensor& x, const Tensor& y, Tensor& out) {
  op_check::edge_dot(block, x, y, out);
  cuda::edge_dot(context_, block, x, y, out);
}

void CudaBackend::head_dot(const Tensor& x, const Tensor& weight, Tensor& out) {
  op_check::head_dot(x, weight, out);
  cuda::head_dot(context_, x, weight, out);
}

void CudaBackend::head_dot_backward(const Tensor& x, const Tensor& weight, const Tensor& grad_out,
                                    Tensor& grad_x, Tensor& grad_weight) {
  op_check::head_dot_backward(x, weight, grad_out, grad_x, grad_weight);
  cuda::head_dot_backward(context_, x, weight, grad_out, {.x = grad_x, .weight = grad_weight});
}

void CudaBackend::edge_scores(BlockCsrView block, const Tensor& at_source, const Tensor& at_destination,
                              double negative_slope, Tensor& out) {
  op_check::edge_scores(block, at_source, at_destination, negative_slope, out);
  cuda::edge_scores(
      context_, block,
      {.at_source = at_source, .at_destination = at_destination, .negative_slope = negative_slope}, out);
}

void CudaBackend::edge_scores_backward(BlockCsrView block, double negative_slope, const Tensor& scores,
                                       const Tensor& grad_scores, const EndGradients& gradients) {
  op_check::edge_scores_backward(block, negative_slope, scores, grad_scores, gradients);
  cuda::edge_scores_backward(context_, block,
                             {.scores = scores, .gradient = grad_scores, .negative_slope = negative_slope},
                             gradients);
}

void CudaBackend::aggregate_max(BlockCsrView block, const Tensor& x, Tensor& out,
                                std::span<std::int32_t> argmax) {
  op_check::aggregate_max(block, x, out, argmax.size());
  cuda::aggregate_max(context_, block, x, out, argmax);
}

void CudaBackend::aggregate_max_backward(BlockCsrView block, std::span<const std::int32_t> argmax,
                                         const Tensor& grad_out, Tensor& grad_x) {
  op_check::aggregate_max_backward(block, argmax.size(), grad_out, grad_x);
  cuda::aggregate_max_backward(context_, block, argmax, grad_out, grad_x);
}

void CudaBackend::edge_softmax(BlockCsrView block, const Tensor& scores, Tensor& out) {
  op_check::edge_softmax(block, scores, out);
  cuda::edge_softmax(context_, block, scores, out);
}

void CudaBackend::edge_softmax_backward(BlockCsrView block, const Tensor& out, const Tensor& grad_out,
                                        Tensor& grad_scores) {
  op_check::edge_softmax_backward(block, out, grad_out, grad_scores);
  cuda::edge_softmax_backward(context_, block, out, grad_out, grad_scores);
}

void CudaBackend::aggregate_rows(CsrView graph, std::span<const float> weights, NodeId first, const Tensor& x,
                                 Tensor& out) {
  op_check::aggregate_rows(graph, weights, first, x, out);
  if (sparse_) return sparse_->aggregate_rows(context_, graph, weights, first, x, out);
  cuda::aggregate(context_, adjacency_of(graph, weights, first), Rows::of(x), out);
}

void CudaBackend::aggregate_rows(CsrView graph, std::span<const float> weights, NodeId first,
                                 const TableRows& x, Tensor& out) {
  op_check::aggregate_rows(graph, weights, first, x, out);
  if (sparse_) {
    Tensor rows =
        empty(x.table.num_rows, x.table.dim, out.scalar());  // it wants the type of the result, contiguous
    cuda::gather(context_, Rows::of(x.table, x.ids.data()), rows);
    return sparse_->aggregate_rows(context_, graph, weights, first, rows, out);
  }
  cuda::aggregate(context_, adjacency_of(graph, weights, first), Rows::of(x.table, x.ids.data()), out);
}

void CudaBackend::number_rows(std::span<const NodeId> ids, std::span<std::int32_t> out) {
  cuda::number_rows(context_, ids, out);
}

void CudaBackend::aggregate_slice(CsrView, std::span<const float>, const TableSlice&, std::span<EdgeOffset>,
                                  Tensor&) {
  throw InvalidArgument("aggregate_slice: expected device cpu, got cuda, which reads whole tables");
}

RowsBlock CudaBackend::rows_as_block(CsrView graph, NodeId first, std::int64_t count) {
  op_check::rows_as_block(graph, first, count);
  return cuda::rows_as_block(context_, graph, first, count);
}

void CudaBackend::matmul(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, double beta,
                         Tensor& c) {
  op_check::matmul(a, transpose_a, b, transpose_b, c);
  products().matmul({.a = a, .transpose_a = transpose_a, .b = b, .transpose_b = transpose_b, .beta = beta}, c);
}

void CudaBackend::matmul_at_b(const Tensor& a, const Tensor& g, double beta, Tensor& grad_w) {
  op_check::matmul_at_b(a, g, grad_w);
  const Tensor rows = a.view_rows(0, g.rows());
  products().matmul({.a = rows, .transpose_a = true, .b = g, .transpose_b = false, .beta = beta}, grad_w);
}

void CudaBackend::add_bias(const Tensor& bias, Tensor& x) {
  op_check::add_bias(bias, x);
  cuda::add_bias(context_, bias, x);
}

void CudaBackend::bias_gradient(const Tensor& grad, Tensor& grad_bias) {
  op_check::bias_gradient(grad, grad_bias);
  cuda::bias_gradient(context_, grad, grad_bias);
}

void CudaBackend::bias_relu_dropout(const Tensor* bias, const Dropout& dropout, Tensor& x) {
  op_check::bias_relu_dropout(bias, dropout, x);
  cuda::bias_relu_dropout(context_, bias, dropout, x);
}

void CudaBackend::relu_dropout_backward(const Dropout& dropout, const Tensor& y, Tensor& grad) {
  op_check::relu_dropout_backward(dropout, y, grad);
  cuda::relu_dropout_backward(context_, dropout, y, grad);
}

void CudaBackend::softmax_cross_entropy(const Tensor& logits, std::span<const std::int32_t> labels,
                                        Tensor* gradient, Tensor& totals) {
  op_check::softmax_cross_entropy(logits, labels.size(), gradient, totals);
  cuda::softmax_cross_entropy(context_, logits, labels, gradient, totals);
}

void CudaBackend::end_step() {
  Tensor::Buffer step = make_event(context_.stream, context_.stream);
  if (last_step_) CUDA_CHECK(cudaEventSynchronize(event_of(last_step_)));
  last_step_ = std::move(step);
}

void CudaBackend::embed(const Tensor& table, std::span<const std::int32_t> ids, Tensor& out) {
  op_check::embed(table, ids.size(), out);
  cuda::embed(context_, table, ids, out);
}

void CudaBackend::embed_backward(std::span<const std::int32_t> ids, const Tensor& grad_out,
                                 Tensor& grad_table) {
  op_check::embed_backward(ids.size(), grad_out, grad_table);
  cuda::embed_backward(context_, ids, grad_out, grad_table);
}

void CudaBackend::lstm_cell(Tensor& gates, const Tensor& previous_cell, Tensor& cell, Tensor& hidden) {
  op_check::lstm_cell(gates, previous_cell, cell, hidden);
  cuda::lstm_cell(context_, gates, previous_cell, cell, hidden);
}

void CudaBackend::lstm_cell_backward(const Tensor& gates, const Tensor& previous_cell, const Tensor& cell,
                                     const Tensor& grad_hidden, Tensor& grad_cell, Tensor& grad_gates) {
  op_check::lstm_cell(gates, previous_cell, cell, grad_hidden);
  op_check::same_shape("lstm_cell_backward", "grad_cell", grad_cell, cell);
  op_check::same_shape("lstm_cell_backward", "grad_gates", grad_gates, gates);
  cuda::lstm_cell_backward(
      context_, {.gates = gates, .previous_cell = previous_cell, .cell = cell, .grad_hidden = grad_hidden},
      grad_cell, grad_gates);
}

double CudaBackend::clip_gradients(std::span<Tensor* const> gradients, double max_norm) {
  op_check::clip_gradients(max_norm);
  Tensor sum = zeros(1, 1, Scalar::f64);
  for (const Tensor* gradient : gradients) cuda::add_squares(context_, *gradient, sum);
  for (Tensor* const gradient : gradients) cuda::clip(context_, sum, max_norm, *gradient);
  double squares = 0;
  download(sum, std::span(&squares, 1));
  return std::sqrt(squares);
}

void CudaBackend::adam(std::span<const AdamParameter> parameters, const AdamOptions& options,
                       std::int64_t step) {
  op_check::adam(parameters, step);
  cuda::adam(context_, parameters, options, step);
}

}  // namespace kith::cuda

namespace kith {

int num_cuda_devices() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

std::unique_ptr<Backend> make_cuda_backend(const BackendOptions& options) {
  int count = 0;
  cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count == 0) status = cudaErrorNoDevice;
  KITH_CHECK(status == cudaSuccess, DeviceError, "--device cuda: no CUDA device (", cudaGetErrorString(status),
             ")");
  if (!options.stream) return std::make_unique<cuda::CudaBackend>(options);
  const int device = options.stream->device;
  KITH_CHECK(device >= 0 && device < count, DeviceError,
             "make_cuda_backend: the device of a lent stream must be in [0, ", count, "), got ", device);
  const cuda::DeviceScope scope(device);
  return std::make_unique<cuda::CudaBackend>(options);
}

}  // namespace kith
