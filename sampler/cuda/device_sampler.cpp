// The host's side of the device sampler: memory, sizes and the order of the steps.
#include "sampler/device_sampler.h"

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <utility>

#include "graph/errors.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"
#include "sampler/cuda/hop.h"
#include "sampler/hop_rules.h"
#include "sampler/scratch.h"

namespace kith::cuda {
namespace {

/// An array that is kept from batch to batch.
template <typename T>
class KeptArray {
 public:
  explicit KeptArray(const Context& context) : context_(context) {}

  /// Makes room for `count` values; keeps the first `num_kept`.
  void reserve(std::int64_t count, std::int64_t num_kept = 0) {
    if (count <= capacity_) return;
    Tensor::Buffer larger = context_.memory.acquire_array<T>(count);
    if (num_kept > 0) {
      CUDA_CHECK(cudaMemcpyAsync(larger.get(), buffer_.get(), static_cast<std::size_t>(num_kept) * sizeof(T),
                                 cudaMemcpyDeviceToDevice, context_.stream));
    }
    buffer_ = std::move(larger);
    capacity_ = count;
  }

  T* data() const { return array_of<T>(buffer_); }
  /// The first `count` values.
  std::span<const std::byte> bytes(std::int64_t count) const {
    return {buffer_.get(), static_cast<std::size_t>(count) * sizeof(T)};
  }

 private:
  const Context& context_;
  Tensor::Buffer buffer_;
  std::int64_t capacity_ = 0;
};

/// Has a stream and scratch memory of its own. Results come from the backend's memory, to be given back in the
/// order of the backend's stream, which uses them.
class CudaSampler final : public DeviceSampler {
 public:
  /// graph: in own_graph, or there for what the backend's stream is given from now on.
  CudaSampler(CudaBackend& backend, CsrView graph, std::vector<DeviceArrays> own_graph,
              std::span<const IntraSlice> intra, SamplerOptions options)
      : backend_(backend.context()),
        options_(std::move(options)),
        num_nodes_(graph.num_nodes()),
        graph_(graph),
        own_graph_(std::move(own_graph)),
        intra_(backend.table_to_device(std::as_bytes(intra))) {
    const auto wait_for = [&](const Tensor::Buffer& event) {
      if (event) CUDA_CHECK(cudaStreamWaitEvent(own_.stream, event_of(event), 0));
    };
    for (const DeviceArrays& table : own_graph_) wait_for(table.ready());
    wait_for(intra_.ready());
    wait_for(make_event(backend_.stream, own_.stream));  // for a graph that is not the sampler's own
    marks_.reserve(num_nodes_);
    sizes_.reserve(1);
  }

  ~CudaSampler() override { static_cast<void>(cudaStreamSynchronize(own_.stream)); }

  DeviceSample sample(std::span<const NodeId> roots, std::int32_t epoch, std::int64_t batch_index,
                      std::optional<double> p_intra) override {
    const std::lock_guard lock(mutex_);
    const BatchKey key{.epoch = epoch, .batch_index = batch_index, .p_intra = p_intra};
    check_batch(options_, key, roots.size(), num_nodes_);
    root_ids_.begin_batch(num_nodes_);
    root_ids_.set_roots(roots);
    start(roots);
    DeviceSample batch;
    batch.edge_bounds = {0};
    auto most_new = static_cast<std::int32_t>(roots.size());
    for (std::size_t i = 0; i < options_.fanouts.size(); ++i) most_new = run_hop(i, key, most_new, batch);
    const HopSizes sizes = read_sizes();
    batch.hop_bounds.push_back(batch.hop_bounds.back() + sizes.num_new);
    batch.num_intra_edges = static_cast<std::int64_t>(sizes.num_intra_edges);
    hand_over(batch);
    unmark(own_, nodes_.data(), batch.hop_bounds.back(), marks_.data());
    is_unmarked_ = true;
    return batch;
  }

 private:
  /// The hop as far as it is known before it is counted.
  Hop make_hop(std::size_t index, const BatchKey& key) const {
    return {.rule = rule_of(options_, key, index),
            .streams = streams_of(options_, key, index),
            .graph = {.offsets = graph_.offsets.data(),
                      .neighbors = graph_.neighbors.data(),
                      .intra = intra_.get<IntraSlice>(0).data()},
            .marks = marks_.data(),
            .sizes = sizes_.data()};
  }

  void start(std::span<const NodeId> roots) {
    if (!is_unmarked_) {  // the first batch, or the one before was left early
      static_assert(kUnmarked == 0xffffffff);
      CUDA_CHECK(cudaMemsetAsync(marks_.data(), 0xff, static_cast<std::size_t>(num_nodes_) * sizeof(Mark),
                                 own_.stream));
    }
    is_unmarked_ = false;
    const std::span<const std::byte> bytes = std::as_bytes(roots);
    nodes_.reserve(static_cast<std::int64_t>(PinnedBlocks::padded(bytes.size()) / sizeof(NodeId)));
    offsets_.reserve(1);
    pinned_.copy_to_device(std::span(&bytes, 1), reinterpret_cast<std::byte*>(nodes_.data()), own_.stream);
    const Hop hop{
        .nodes = nodes_.data(), .offsets = offsets_.data(), .marks = marks_.data(), .sizes = sizes_.data()};
    mark_roots(own_, hop, static_cast<std::int32_t>(roots.size()));
  }

  /// most_new: bound on the nodes that the hop before has reached first. Returns it for this hop.
  std::int32_t run_hop(std::size_t index, const BatchKey& key, std::int32_t most_new, DeviceSample& batch) {
    Hop hop = make_hop(index, key);
    hop.first = batch.hop_bounds.empty() ? 0 : batch.hop_bounds.back();
    hop.edge_begin = batch.edge_bounds.back();
    offsets_.reserve(std::int64_t{hop.first} + most_new + 1, std::int64_t{hop.first} + 1);
    rows_.reserve(most_new);
    hop.nodes = nodes_.data();
    hop.offsets = offsets_.data();
    hop.rows = rows_.data();
    count_edges(own_, hop, most_new);

    const HopSizes sizes = read_sizes();
    const auto num_edges = static_cast<std::int64_t>(sizes.num_edges);
    check_num_edges(num_edges);
    hop.known = hop.first + sizes.num_new;
    hop.num_edges = static_cast<std::int32_t>(num_edges) - hop.edge_begin;
    batch.hop_bounds.push_back(hop.known);
    batch.edge_bounds.push_back(static_cast<std::int32_t>(num_edges));
    most_new = std::min(num_nodes_ - hop.known, hop.num_edges);
    nodes_.reserve(std::int64_t{hop.known} + most_new, hop.known);
    sources_.reserve(num_edges, hop.edge_begin);
    if (options_.is_unbiased) weights_.reserve(num_edges, hop.edge_begin);
    if (options_.keep_edges) edges_.reserve(num_edges, hop.edge_begin);
    hop.nodes = nodes_.data();
    hop.sources = sources_.data();
    hop.weights = options_.is_unbiased ? weights_.data() : nullptr;
    hop.edges = options_.keep_edges ? edges_.data() : nullptr;
    draw_positions(own_, hop);
    read_sources(own_, hop);
    relabel(own_, hop);
    return most_new;
  }

  /// Waits for the steps so far.
  HopSizes read_sizes() {
    auto* const sizes = reinterpret_cast<HopSizes*>(host_sizes_.get());
    CUDA_CHECK(cudaMemcpyAsync(sizes, sizes_.data(), sizeof(HopSizes), cudaMemcpyDeviceToHost, own_.stream));
    CUDA_CHECK(cudaStreamSynchronize(own_.stream));
    return *sizes;
  }

  /// Copies the batch into memory of its own.
  void hand_over(DeviceSample& batch) {
    const std::int64_t num_nodes = batch.hop_bounds.back(), num_edges = batch.edge_bounds.back();
    const std::int64_t num_rows = batch.hop_bounds.end()[-2];
    const std::array<std::span<const std::byte>, 5> arrays{
        nodes_.bytes(num_nodes), offsets_.bytes(num_rows + 1), sources_.bytes(num_edges),
        weights_.bytes(options_.is_unbiased ? num_edges : 0),
        edges_.bytes(options_.keep_edges ? num_edges : 0)};
    std::size_t total = 0;
    for (const auto& array : arrays) total += PinnedBlocks::padded(array.size());
    std::vector<Tensor::Buffer> memory;
    memory.push_back(backend_.memory.acquire_on(own_.stream, total));
    // Made before the copies: should one of them throw, the memory is not given back before it was there.
    Tensor::Buffer ready = make_event(own_.stream, backend_.stream);
    std::vector<std::span<const std::byte>> placed;
    std::byte* to = memory.front().get();
    for (const auto& array : arrays) {
      if (!array.empty()) {
        CUDA_CHECK(cudaMemcpyAsync(to, array.data(), array.size(), cudaMemcpyDeviceToDevice, own_.stream));
      }
      placed.emplace_back(to, array.size());
      to += PinnedBlocks::padded(array.size());
    }
    CUDA_CHECK(cudaEventRecord(event_of(ready), own_.stream));
    batch.arrays = DeviceArrays(std::move(placed), std::move(memory), std::move(ready));
    batch.input_nodes = batch.arrays.get<NodeId>(0);
    batch.offsets = batch.arrays.get<std::int32_t>(1);
    batch.sources = batch.arrays.get<std::int32_t>(2);
    batch.weights = batch.arrays.get<float>(3);
    batch.edges = batch.arrays.get<EdgeOffset>(4);
  }

  Context backend_;
  OwnedStreamMemory memory_{StreamMemory::create()};
  Context own_{.stream = memory_->stream(), .memory = *memory_, .traits = backend_.traits};
  SamplerOptions options_;
  NodeId num_nodes_ = 0;
  CsrView graph_;                        ///< on the device
  std::vector<DeviceArrays> own_graph_;  ///< what it refers to, if it is the sampler's own
  DeviceArrays intra_;
  PinnedBlocks pinned_;
  Tensor::Buffer host_sizes_ = make_pinned(sizeof(HopSizes));

  std::mutex mutex_;  ///< guards everything below
  LocalIds root_ids_;
  KeptArray<Mark> marks_{own_};  ///< [num_nodes]
  bool is_unmarked_ = false;
  KeptArray<HopSizes> sizes_{own_};  ///< [1]
  KeptArray<NodeId> nodes_{own_};    ///< the arrays of the batch, as far as it stands
  KeptArray<std::int32_t> offsets_{own_};
  KeptArray<HopRow> rows_{own_};  ///< of one hop
  KeptArray<std::int32_t> sources_{own_};
  KeptArray<float> weights_{own_};
  KeptArray<EdgeOffset> edges_{own_};
};

}  // namespace
}  // namespace kith::cuda

namespace kith {

std::unique_ptr<DeviceSampler> make_device_sampler(Backend& backend, CsrView graph,
                                                   const Communities& communities,
                                                   const SamplerOptions& options, CsrView on_device) {
  check_neighbor_sampler(graph, communities, options);
  auto* const cuda_backend = dynamic_cast<cuda::CudaBackend*>(&backend);
  KITH_CHECK(cuda_backend != nullptr, InvalidArgument,
             "make_device_sampler: expected a backend of the device cuda, got ", backend.name());
  const bool is_there = !on_device.offsets.empty();
  KITH_CHECK(!is_there || (on_device.offsets.size() == graph.offsets.size() &&
                           on_device.neighbors.size() == graph.neighbors.size()),
             InvalidArgument, "make_device_sampler: expected the graph's ", graph.num_nodes(), " nodes and ",
             graph.num_edges(), " edges on the device, got ", on_device.num_nodes(), " and ",
             on_device.num_edges());
  std::vector<DeviceArrays> own_graph;
  if (!is_there) {
    own_graph.push_back(backend.table_to_device(std::as_bytes(graph.offsets)));
    own_graph.push_back(backend.table_to_device(std::as_bytes(graph.neighbors)));
    on_device = {.offsets = own_graph[0].get<EdgeOffset>(0), .neighbors = own_graph[1].get<NodeId>(0)};
  }
  return std::make_unique<cuda::CudaSampler>(*cuda_backend, on_device, std::move(own_graph),
                                             find_intra_slices(graph, communities), options);
}

}  // namespace kith
