#include "kernels/cuda/spmm.h"

#include <cusparse.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "kernels/cuda/check.h"
#include "kernels/cuda/edge_scores.h"
#include "kernels/cuda/edge_values.h"
#include "kernels/cuda/transpose.h"
#include "kernels/dispatch.h"
#include "kernels/memo.h"

namespace kith::cuda {

static void check(cusparseStatus_t status, const char* call, const char* file, int line) {
  if (status != CUSPARSE_STATUS_SUCCESS) throw_device_error(cusparseGetErrorString(status), call, file, line);
}

namespace {

struct Destroy {
  void operator()(cusparseSpMatDescr_t matrix) const { static_cast<void>(cusparseDestroySpMat(matrix)); }
  void operator()(cusparseDnMatDescr_t matrix) const { static_cast<void>(cusparseDestroyDnMat(matrix)); }
};
template <typename Descriptor>
using Owned = std::unique_ptr<std::remove_pointer_t<Descriptor>, Destroy>;

/// Everything that one block needs to be multiplied with matrices of one width.
struct Plan {
  Owned<cusparseSpMatDescr_t> block;
  Owned<cusparseDnMatDescr_t> x;
  Owned<cusparseDnMatDescr_t> out;
  Tensor::Buffer workspace;  ///< holds what was preprocessed, so no other block may use it
};

/// 1 / in-degree of every edge.
template <typename T>
struct MeanValues {
  Tensor::Buffer values;
};
/// The same for the block by source.
template <typename T>
struct TransposedMeanValues {
  Tensor::Buffer values;
};

/// out = block x + beta * out.
template <typename T>
struct Product {
  BlockCsrView block;
  const T* values;  ///< [num_edges]
  const Tensor& x;
  Tensor& out;
  T beta;
};

template <typename T>
inline constexpr cudaDataType kType = std::is_same_v<T, float> ? CUDA_R_32F : CUDA_R_64F;

/// The library's descriptors take writable arrays, but only `out` is written to.
void* writable(const void* data) { return const_cast<void*>(data); }

/// What `make` writes to a new array of a value an edge: found in the memo, or kept there, or in `own`.
template <typename Kept, typename T, typename Make>
const T* kept_values(const Context& context, BlockCsrView block, Tensor::Buffer& own, const Make& make) {
  const MemoKey key = MemoKey::of(block);
  if (block.memo != nullptr) {
    if (const Kept* const kept = block.memo->find<Kept>(key)) return array_of<T>(kept->values);
  }
  own = context.memory.acquire_array<T>(block.num_edges());
  T* const values = array_of<T>(own);
  make(values);
  if (block.memo != nullptr) block.memo->keep(key, Kept{.values = std::move(own)});
  return values;
}

}  // namespace

struct SparseProducts::State {
  cusparseHandle_t handle = nullptr;
  cusparseSpMMAlg_t algorithm = CUSPARSE_SPMM_CSR_ALG2;
  bool is_preprocessing = false;

  template <typename T>
  Plan make_plan(const Context& context, const Product<T>& product);
  template <typename T>
  void run(const Plan& plan, const Product<T>& product);
  /// By the plan of the block's memo, if it has one.
  template <typename T>
  void multiply(const Context& context, const Product<T>& product);
};

template <typename T>
Plan SparseProducts::State::make_plan(const Context& context, const Product<T>& product) {
  const BlockCsrView& block = product.block;
  Plan plan;
  cusparseSpMatDescr_t sparse = nullptr;
  CUDA_CHECK(cusparseCreateCsr(&sparse, block.num_destinations(), block.num_sources, block.num_edges(),
                               writable(block.offsets.data()), writable(block.sources.data()),
                               writable(product.values), CUSPARSE_INDEX_32I, CUSPARSE_INDEX_32I,
                               CUSPARSE_INDEX_BASE_ZERO, kType<T>));
  plan.block.reset(sparse);
  const auto describe = [&](const Tensor& dense) {
    cusparseDnMatDescr_t made = nullptr;
    CUDA_CHECK(cusparseCreateDnMat(&made, dense.rows(), dense.cols(), dense.cols(),
                                   writable(dense.data<std::byte>()), kType<T>, CUSPARSE_ORDER_ROW));
    return Owned<cusparseDnMatDescr_t>(made);
  };
  plan.x = describe(product.x);
  plan.out = describe(product.out);
  const T one = 1;
  std::size_t bytes = 0;
  CUDA_CHECK(cusparseSpMM_bufferSize(handle, CUSPARSE_OPERATION_NON_TRANSPOSE, CUSPARSE_OPERATION_NON_TRANSPOSE,
                                     &one, plan.block.get(), plan.x.get(), &product.beta, plan.out.get(),
                                     kType<T>, algorithm, &bytes));
  plan.workspace = context.memory.acquire(bytes);
  if (!is_preprocessing) return plan;
  CUDA_CHECK(cusparseSpMM_preprocess(handle, CUSPARSE_OPERATION_NON_TRANSPOSE, CUSPARSE_OPERATION_NON_TRANSPOSE,
                                     &one, plan.block.get(), plan.x.get(), &product.beta, plan.out.get(),
                                     kType<T>, algorithm, plan.workspace.get()));
  return plan;
}

template <typename T>
void SparseProducts::State::run(const Plan& plan, const Product<T>& product) {
  const T one = 1;
  CUDA_CHECK(cusparseSpMM(handle, CUSPARSE_OPERATION_NON_TRANSPOSE, CUSPARSE_OPERATION_NON_TRANSPOSE, &one,
                          plan.block.get(), plan.x.get(), &product.beta, plan.out.get(), kType<T>, algorithm,
                          plan.workspace.get()));
}

template <typename T>
void SparseProducts::State::multiply(const Context& context, const Product<T>& product) {
  Memo* const memo = product.block.memo;
  if (memo == nullptr) return run(make_plan(context, product), product);
  const std::int64_t width = product.x.cols() * 2 + (std::is_same_v<T, float> ? 0 : 1);
  const MemoKey key = MemoKey::of(product.block, width);
  const Plan* plan = memo->find<Plan>(key);
  if (plan == nullptr) return run(memo->keep(key, make_plan(context, product)), product);
  CUDA_CHECK(cusparseSpMatSetValues(plan->block.get(), writable(product.values)));
  CUDA_CHECK(cusparseDnMatSetValues(plan->x.get(), writable(product.x.template data<std::byte>())));
  CUDA_CHECK(cusparseDnMatSetValues(plan->out.get(), product.out.template data<std::byte>()));
  run(*plan, product);
}

SparseProducts::SparseProducts(cudaStream_t stream, SparseAlgorithm algorithm)
    : state_(std::make_unique<State>()) {
  state_->is_preprocessing = algorithm == SparseAlgorithm::preprocessed;
  if (state_->is_preprocessing) state_->algorithm = CUSPARSE_SPMM_CSR_ALG3;
  CUDA_CHECK(cusparseCreate(&state_->handle));
  CUDA_CHECK(cusparseSetStream(state_->handle, stream));
}

SparseProducts::~SparseProducts() { static_cast<void>(cusparseDestroy(state_->handle)); }

void SparseProducts::aggregate(const Context& context, BlockCsrView block, std::span<const float> weights,
                               const Tensor& x, Tensor& out) {
  if (out.empty()) return;
  if (block.num_edges() == 0) {
    const std::size_t bytes = static_cast<std::size_t>(out.size()) * size_of(out.scalar());
    CUDA_CHECK(cudaMemsetAsync(out.data<std::byte>(), 0, bytes, context.stream));
    return;
  }
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    Tensor::Buffer own;
    const T* values = nullptr;
    if (weights.empty()) {
      values = kept_values<MeanValues<T>, T>(context, block, own,
                                             [&](T* to) { write_edge_values(context, block, weights, to); });
    } else if constexpr (std::is_same_v<T, float>) {
      values = weights.data();
    } else {
      own = context.memory.acquire_array<T>(block.num_edges());
      write_edge_values(context, block, weights, array_of<T>(own));
      values = array_of<T>(own);
    }
    state_->multiply<T>(context, {.block = block, .values = values, .x = x, .out = out, .beta = 0});
  });
}

void SparseProducts::aggregate_backward(const Context& context, BlockCsrView block,
                                        std::span<const float> weights, const Tensor& grad_out,
                                        Tensor& grad_x) {
  if (block.num_edges() == 0 || grad_x.empty()) return;
  std::optional<Transposed> own_transposed;
  const Transposed& transposed = transposed_of(context, block, own_transposed);
  const BlockCsrView by_source = transposed.view(block.memo);
  with_scalar(grad_x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const auto write = [&](T* to) { write_transposed_values(context, transposed, block, weights, to); };
    Tensor::Buffer own;
    const T* values = nullptr;
    if (weights.empty()) {
      values = kept_values<TransposedMeanValues<T>, T>(context, by_source, own, write);
    } else {
      own = context.memory.acquire_array<T>(block.num_edges());
      write(array_of<T>(own));
      values = array_of<T>(own);
    }
    state_->multiply<T>(context,
                        {.block = by_source, .values = values, .x = grad_out, .out = grad_x, .beta = 1});
  });
}

void SparseProducts::aggregate_rows(const Context& context, CsrView graph, std::span<const float> weights,
                                    NodeId first, const Tensor& x, Tensor& out) {
  const MemoKey key{.offsets = graph.offsets.data() + first,
                    .sources = graph.neighbors.data(),
                    .num_rows = out.rows(),
                    .num_edges = graph.num_edges(),
                    .num_sources = graph.num_nodes()};
  RowsBlock own;
  RowsBlock* rows = graph.memo == nullptr ? nullptr : graph.memo->find<RowsBlock>(key);
  if (rows == nullptr) {
    own = rows_as_block(context, graph, first, out.rows());
    own.block.memo = graph.memo;
    rows = graph.memo == nullptr ? &own : &graph.memo->keep(key, std::move(own));
  }
  const auto begin = static_cast<std::size_t>(rows->block.sources.data() - graph.neighbors.data());
  const std::span<const float> of_rows =
      weights.empty() ? weights : weights.subspan(begin, static_cast<std::size_t>(rows->block.num_edges()));
  aggregate(context, rows->block, of_rows, x, out);
}

}  // namespace kith::cuda
