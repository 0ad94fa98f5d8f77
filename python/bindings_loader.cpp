#include <pybind11/stl.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "python/arrays.h"
#include "python/bindings.h"
#include "train/batch_stream.h"
#include "train/batch_tiers.h"
#include "train/loader.h"
#include "train/staging/byte_size.h"
#include "train/staging/options.h"

namespace kith::python {
namespace {

/// A property for a field of one of the option structs inside LoaderOptions.
template <typename Inner, typename T>
void bind_field(py::class_<LoaderOptions>& options, const char* name, Inner LoaderOptions::*inner,
                T Inner::*field) {
  options.def_property(
      name, [=](const LoaderOptions& self) { return (self.*inner).*field; },
      [=](LoaderOptions& self, T value) { (self.*inner).*field = std::move(value); });
}

void bind_options(py::module_& module) {
  py::class_<LoaderOptions> options(module, "LoaderOptions");
  options.def(py::init<>())
      .def_readwrite("level", &LoaderOptions::level)
      .def_readwrite("bias_level", &LoaderOptions::bias_level)
      .def_readwrite("dependency", &LoaderOptions::dependency)
      .def_readwrite("has_features", &LoaderOptions::has_features)
      .def_readwrite("is_group_auto", &LoaderOptions::is_group_auto)
      .def_readwrite("prefetch_depth", &LoaderOptions::prefetch_depth)
      .def_readwrite("seed", &LoaderOptions::seed)
      .def_property(
          "mix", [](const LoaderOptions& self) { return self.mix().name(); },
          [](LoaderOptions& self, const std::string& text) { self.set_mix(Knob::parse(text, "mix")); })
      .def_property(
          "p_intra", [](const LoaderOptions& self) { return self.p_intra().name(); },
          [](LoaderOptions& self, const std::string& text) { self.set_p_intra(Knob::parse(text, "p_intra")); })
      .def_property(
          "schedule", [](const LoaderOptions& self) { return name_of(self.schedule.shape); },
          [](LoaderOptions& self, const std::string& name) {
            self.schedule.shape = parse_schedule_shape(name);
          })
      .def_property(
          "schedule_epochs", [](const LoaderOptions& self) { return self.schedule.epochs; },
          [](LoaderOptions& self, std::int32_t epochs) { self.schedule.epochs = epochs; })
      .def_property(
          "batch_order", [](const LoaderOptions& self) { return self.plan.batch_order.name(); },
          [](LoaderOptions& self, const std::string& text) { self.plan.batch_order = BatchOrder::parse(text); })
      .def_property(
          "no_intra", [](const LoaderOptions& self) { return name_of(self.sampler.no_intra); },
          [](LoaderOptions& self, const std::string& name) { self.sampler.no_intra = parse_no_intra(name); })
      .def_property(
          "sampler", [](const LoaderOptions& self) { return name_of(self.sampler.kind); },
          [](LoaderOptions& self, const std::string& name) { self.sampler.kind = parse_sampler_kind(name); })
      .def_property(
          "mixing", [](const LoaderOptions& self) { return name_of(self.plan.mixing); },
          [](LoaderOptions& self, const std::string& name) { self.plan.mixing = parse_mixing(name); });
  bind_field(options, "batch_size", &LoaderOptions::plan, &PlanOptions::batch_size);
  bind_field(options, "group", &LoaderOptions::plan, &PlanOptions::group);
  bind_field(options, "is_shuffled", &LoaderOptions::plan, &PlanOptions::is_shuffled);
  bind_field(options, "drop_last", &LoaderOptions::plan, &PlanOptions::drop_last);
  bind_field(options, "rank", &LoaderOptions::plan, &PlanOptions::rank);
  bind_field(options, "world_size", &LoaderOptions::plan, &PlanOptions::world_size);
  bind_field(options, "fanouts", &LoaderOptions::sampler, &SamplerOptions::fanouts);
  bind_field(options, "with_replacement", &LoaderOptions::sampler, &SamplerOptions::with_replacement);
  bind_field(options, "is_unbiased", &LoaderOptions::sampler, &SamplerOptions::is_unbiased);
  bind_field(options, "keep_edges", &LoaderOptions::sampler, &SamplerOptions::keep_edges);
}

/// Sizes as text, as on the command line.
StagingOptions staging_options(const Dataset& dataset, const std::string& policy,
                               const std::string& stage_bytes, const std::string& host_bytes,
                               std::int32_t prefetch_depth, std::uint64_t seed) {
  const std::int64_t table =
      dataset.num_nodes() * static_cast<std::int64_t>(dataset.features.view().row_bytes());
  StagingOptions options;
  options.policy = parse_stage_policy(policy);
  options.stage_bytes = parse_bytes(stage_bytes, table, "stage_bytes");
  options.host_bytes = parse_bytes(host_bytes, table, "host_bytes");
  if (options.host_bytes >= table) options.host_bytes = -1;
  options.model.prefetch_depth = prefetch_depth;
  options.seed = options.predictor.seed = seed;
  check_staging_options(options);
  return options;
}

py::dict stats_of(const ArrayBatch& batch) {
  const BatchStats& stats = batch.stats;
  py::dict out(
      py::arg("roots") = stats.roots, py::arg("input_nodes") = stats.input_nodes,
      py::arg("reused_input_nodes") = stats.reused_input_nodes, py::arg("pages") = stats.pages,
      py::arg("edges") = stats.edges, py::arg("intra_edges") = stats.intra_edges,
      py::arg("communities") = stats.communities, py::arg("label_entropy_bits") = stats.label_entropy_bits,
      py::arg("sample_seconds") = batch.sample_seconds, py::arg("gather_seconds") = batch.gather_seconds);
  if (batch.traffic) {
    out["staged_hits"] = batch.traffic->hits;
    out["staged_bytes"] = batch.traffic->host_bytes + batch.traffic->disk_bytes;
    out["staged_bytes_from_disk"] = batch.traffic->disk_bytes;
  }
  return out;
}

py::object labels_of(ArrayBatch& batch, py::ssize_t num_nodes) {
  if (!batch.labels.empty()) return to_array(std::move(batch.labels));
  if (batch.label_indicator.empty()) return py::none();
  const auto num_classes = static_cast<py::ssize_t>(batch.label_indicator.size()) / num_nodes;
  return to_array(std::move(batch.label_indicator), {num_nodes, num_classes});
}

py::dict to_dict(ArrayBatch batch) {
  const auto num_nodes = static_cast<py::ssize_t>(batch.n_id.size());
  const auto num_edges = static_cast<py::ssize_t>(batch.e_id.size());
  py::dict out;
  out["x"] = batch.x ? py::object(to_array(std::move(*batch.x))) : py::none();
  out["y"] = labels_of(batch, num_nodes);
  out["edge_index"] = to_array(std::move(batch.edge_index), {2, num_edges});
  out["n_id"] = to_array(std::move(batch.n_id));
  out["e_id"] = to_array(std::move(batch.e_id));
  out["edge_weight"] =
      batch.edge_weight.empty() ? py::none() : py::object(to_array(std::move(batch.edge_weight)));
  out["input_id"] = to_array(std::move(batch.input_id));
  out["num_sampled_nodes"] = std::move(batch.num_sampled_nodes);
  out["num_sampled_edges"] = std::move(batch.num_sampled_edges);
  out["indptr"] = to_array(std::move(batch.indptr));
  out["indices"] = to_array(std::move(batch.indices));
  out["stats"] = stats_of(batch);
  return out;
}

py::object next_batch(BatchStream& stream) {
  std::optional<ArrayBatch> batch;
  {
    const py::gil_scoped_release release;
    batch = stream.next();
  }
  if (!batch) return py::none();
  return to_dict(std::move(*batch));
}

/// stream: a cudaStream_t as a number, 0 for the device's default stream.
std::unique_ptr<Backend> backend_on_stream(int device, std::uintptr_t stream) {
  return make_backend("cuda", {.stream = LentStream{.device = device, .handle = stream}});
}

}  // namespace

void bind_loader(py::module_& module) {
  bind_options(module);
  py::class_<Backend>(module, "Backend")
      .def(py::init([](const std::string& device) { return make_backend(device); }), py::arg("device"))
      .def_static("on_stream", &backend_on_stream, py::arg("device"), py::arg("stream"),
                  "A CUDA backend on a stream of the caller's.")
      .def_property_readonly("name", &Backend::name);
  py::class_<Loader>(module, "Loader")
      .def(py::init([](const Dataset& dataset, const Input<NodeId>& roots, const LoaderOptions& options) {
             std::vector<NodeId> ids = vector_of(roots);
             const py::gil_scoped_release release;
             return std::make_unique<Loader>(dataset, std::move(ids), options);
           }),
           py::arg("dataset"), py::arg("roots").noconvert(), py::arg("options"), py::keep_alive<1, 2>())
      .def_property_readonly("num_batches", &Loader::num_batches)
      .def_property_readonly("options", &Loader::options);
  py::class_<StagingOptions>(module, "StagingOptions")
      .def(py::init(&staging_options), py::arg("dataset"), py::arg("policy"), py::arg("stage_bytes"),
           py::arg("host_bytes"), py::arg("prefetch_depth"), py::arg("seed"));
  py::class_<BatchTiers>(module, "BatchTiers")
      .def(py::init<const Loader&, const Dataset&, const StagingOptions&>(), py::arg("loader"),
           py::arg("dataset"), py::arg("options"), py::keep_alive<1, 3>(),
           py::call_guard<py::gil_scoped_release>());
  py::class_<BatchStream>(module, "BatchStream")
      .def(py::init([](const Loader& loader, const Dataset& dataset, Backend& backend, BatchTiers* tiers,
                       std::int32_t epoch, std::size_t first) {
             return std::make_unique<BatchStream>(
                 BatchStream::Sources{.loader = loader, .dataset = dataset, .backend = backend, .tiers = tiers},
                 epoch, first);
           }),
           py::arg("loader"), py::arg("dataset"), py::arg("backend"), py::arg("tiers").none(true),
           py::arg("epoch"), py::arg("first"), py::keep_alive<1, 2>(), py::keep_alive<1, 3>(),
           py::keep_alive<1, 4>(), py::keep_alive<1, 5>(), py::call_guard<py::gil_scoped_release>())
      .def("next", &next_batch);
}

}  // namespace kith::python
