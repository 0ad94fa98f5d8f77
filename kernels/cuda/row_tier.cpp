#include "kernels/row_tier.h"

#include <algorithm>
#include <array>
#include <utility>

#include "graph/errors.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/copy_rows.h"
#include "kernels/cuda/cuda_backend.h"

namespace kith::cuda {
namespace {

/// Has a stream and scratch memory of its own. Batches come from the backend's memory, to be given back in the
/// order of the backend's stream, which uses them.
class CudaRowTier final : public RowTier {
 public:
  CudaRowTier(CudaBackend& backend, std::int64_t num_slots, std::size_t row_bytes)
      : backend_(backend.context()),
        row_bytes_(row_bytes),
        slots_(own_.memory.acquire(static_cast<std::size_t>(num_slots) * row_bytes)) {}

  /// Host memory that a copy still reads may go once this is gone.
  ~CudaRowTier() override { static_cast<void>(cudaStreamSynchronize(own_.stream)); }
  CudaRowTier(const CudaRowTier&) = delete;
  CudaRowTier& operator=(const CudaRowTier&) = delete;

  Tensor::Buffer pinned(std::size_t bytes) override { return make_pinned(bytes); }

  std::byte* block(std::int64_t num_rows) override {
    Block& next = blocks_[next_block_];
    if (next.copied) CUDA_CHECK(cudaEventSynchronize(event_of(next.copied)));
    const std::size_t bytes = static_cast<std::size_t>(num_rows) * row_bytes_;
    if (next.bytes < bytes) {
      next.memory = {};  // before the larger one is asked for
      next.bytes = 0;
      next.memory = make_pinned(bytes + bytes / 4);  // batches differ a little in size
      next.bytes = bytes + bytes / 4;
    }
    is_block_taken_ = true;
    return next.memory.get();
  }

  DeviceArrays transfer(const RowTransfer& transfer) override {
    Batch batch(*this, static_cast<std::size_t>(transfer.num_rows), false);
    try {
      const Tensor::Buffer incoming = receive(transfer.copies);
      move(transfer, incoming.get(), batch.rows.data());
      count_up(own_, batch.numbers);
      return batch.take(make_event(own_.stream, backend_.stream));
    } catch (...) {
      // No event says when the backend's stream may have the memory back.
      static_cast<void>(cudaStreamSynchronize(own_.stream));
      throw;
    }
  }

  void fix(const std::byte* table, std::span<const std::int32_t> slot_of) override {
    const std::span<const std::byte> bytes = std::as_bytes(slot_of);
    table_ = table;
    slot_of_ = own_.memory.acquire(PinnedBlocks::padded(bytes.size()));
    pinned_.copy_to_device(std::span(&bytes, 1), slot_of_.get(), own_.stream);
  }

  DeviceArrays pick(DeviceArrays ids) override {
    const std::span<const std::int32_t> wanted = ids.get<std::int32_t>(0);
    Batch batch(*this, wanted.size(), true);
    try {
      if (ids.ready()) CUDA_CHECK(cudaStreamWaitEvent(own_.stream, event_of(ids.ready()), 0));
      CUDA_CHECK(cudaMemsetAsync(batch.num_hits.data(), 0, batch.num_hits.size_bytes(), own_.stream));
      pick_rows(own_, {.ids = wanted,
                       .slot_of = array_of<const std::int32_t>(slot_of_),
                       .slots = slots_.get(),
                       .table = table_,
                       .to = batch.rows.data(),
                       .numbers = batch.numbers.data(),
                       .num_hits = batch.num_hits.data(),
                       .row_bytes = row_bytes_});
      DeviceArrays out = batch.take(make_event(own_.stream, backend_.stream));
      out.keep(std::move(ids));
      return out;
    } catch (...) {
      static_cast<void>(cudaStreamSynchronize(own_.stream));
      throw;
    }
  }

  void download(const DeviceArrays& arrays, std::size_t index, std::span<std::byte> to) override {
    const cudaStream_t stream = downloads_->stream();
    if (arrays.ready()) CUDA_CHECK(cudaStreamWaitEvent(stream, event_of(arrays.ready()), 0));
    if (to.empty()) return;
    CUDA_CHECK(cudaMemcpyAsync(to.data(), arrays.get<std::byte>(index).data(), to.size(),
                               cudaMemcpyDeviceToHost, stream));
    CUDA_CHECK(cudaStreamSynchronize(stream));
  }

 private:
  struct Block {
    Tensor::Buffer memory;
    std::size_t bytes = 0;
    Tensor::Buffer copied;  ///< the event after its last copy
  };

  /// What a batch gets, in memory of the backend's.
  struct Batch {
    Batch(CudaRowTier& tier, std::size_t num_rows, bool counts_hits) {
      const std::size_t row_bytes = num_rows * tier.row_bytes_;
      const std::size_t number_bytes = num_rows * sizeof(std::int32_t);
      memory.push_back(tier.backend_.memory.acquire_on(
          tier.own_.stream,
          PinnedBlocks::padded(row_bytes) + PinnedBlocks::padded(number_bytes) + sizeof(double)));
      std::byte* const data = memory.front().get();
      rows = {data, row_bytes};
      std::byte* const after_rows = data + PinnedBlocks::padded(row_bytes);
      numbers = {reinterpret_cast<std::int32_t*>(after_rows), num_rows};
      if (counts_hits) {
        num_hits = {reinterpret_cast<double*>(after_rows + PinnedBlocks::padded(number_bytes)), 1};
      }
    }

    DeviceArrays take(Tensor::Buffer ready) {
      std::vector<std::span<const std::byte>> arrays{rows, std::as_bytes(numbers)};
      if (!num_hits.empty()) arrays.push_back(std::as_bytes(num_hits));
      return {std::move(arrays), std::move(memory), std::move(ready)};
    }

    std::vector<Tensor::Buffer> memory;
    std::span<std::byte> rows;
    std::span<std::int32_t> numbers;
    std::span<double> num_hits;  ///< [1] of pick(), else empty
  };

  /// Copies the runs one behind the other, and lets go of the block.
  Tensor::Buffer receive(std::span<const RowTransfer::Run> runs) {
    std::int64_t count = 0;
    for (const RowTransfer::Run& run : runs) count += run.count;
    Tensor::Buffer incoming = own_.memory.acquire(static_cast<std::size_t>(count) * row_bytes_);
    std::byte* to = incoming.get();
    for (const RowTransfer::Run& run : runs) {
      const std::size_t bytes = static_cast<std::size_t>(run.count) * row_bytes_;
      CUDA_CHECK(cudaMemcpyAsync(to, run.data, bytes, cudaMemcpyHostToDevice, own_.stream));
      to += bytes;
    }
    if (std::exchange(is_block_taken_, false)) {
      blocks_[next_block_].copied = make_event(own_.stream, own_.stream);
      next_block_ = 1 - next_block_;
    }
    return incoming;
  }

  /// Reads slots before it overwrites any.
  void move(const RowTransfer& transfer, const std::byte* incoming, std::byte* batch) {
    struct Step {
      const RowMoves& moves;
      const std::byte* from;
      std::byte* to;
    };
    std::byte* const slots = slots_.get();
    const std::array<Step, 5> steps{
        Step{transfer.hits, slots, batch}, Step{transfer.read, transfer.table, batch},
        Step{transfer.arrived, incoming, batch}, Step{transfer.kept, incoming, slots},
        Step{transfer.kept_of_batch, batch, slots}};
    std::vector<std::span<const std::byte>> lists;
    std::size_t bytes = 0;
    for (const Step& step : steps) {
      for (const std::vector<std::int32_t>* const list : {&step.moves.from, &step.moves.to}) {
        lists.push_back(std::as_bytes(std::span(*list)));
        bytes += PinnedBlocks::padded(lists.back().size());
      }
    }
    const Tensor::Buffer numbers = own_.memory.acquire(bytes);
    pinned_.copy_to_device(lists, numbers.get(), own_.stream);
    const std::byte* list = numbers.get();
    const auto take = [&](const std::vector<std::int32_t>& taken) {
      const auto* const rows = reinterpret_cast<const std::int32_t*>(list);
      list += PinnedBlocks::padded(taken.size() * sizeof(std::int32_t));
      return rows;
    };
    for (const Step& step : steps) {
      const std::int32_t* const from_rows = take(step.moves.from);
      const std::int32_t* const to_rows = take(step.moves.to);
      copy_rows(own_, {.from = step.from,
                       .from_rows = from_rows,
                       .to = step.to,
                       .to_rows = to_rows,
                       .count = step.moves.size(),
                       .row_bytes = row_bytes_});
    }
  }

  Context backend_;
  std::size_t row_bytes_;
  OwnedStreamMemory memory_{StreamMemory::create()};
  OwnedStreamMemory downloads_{StreamMemory::create()};  ///< for its stream
  Context own_{.stream = memory_->stream(), .memory = *memory_, .traits = backend_.traits};
  PinnedBlocks pinned_;
  std::array<Block, 2> blocks_;
  std::size_t next_block_ = 0;
  bool is_block_taken_ = false;
  Tensor::Buffer slots_;
  const std::byte* table_ = nullptr;  ///< of fix(), as the next
  Tensor::Buffer slot_of_;
};

}  // namespace
}  // namespace kith::cuda

namespace kith {

std::unique_ptr<RowTier> make_row_tier(Backend& backend, std::int64_t num_slots, std::size_t row_bytes) {
  auto* const cuda_backend = dynamic_cast<cuda::CudaBackend*>(&backend);
  KITH_CHECK(cuda_backend != nullptr, InvalidArgument,
             "make_row_tier: expected a backend of the device cuda, got ", backend.name());
  KITH_CHECK(num_slots >= 0, InvalidArgument, "make_row_tier: num_slots must be >= 0, got ", num_slots);
  KITH_CHECK(row_bytes > 0 && row_bytes % 2 == 0, InvalidArgument,
             "make_row_tier: row_bytes must be even and > 0, got ", row_bytes);
  return std::make_unique<cuda::CudaRowTier>(*cuda_backend, num_slots, row_bytes);
}

}  // namespace kith
