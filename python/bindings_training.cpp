#include <pybind11/stl.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "python/arrays.h"
#include "python/bindings.h"
#include "train/device_data.h"
#include "train/model.h"
#include "train/trainer.h"

namespace kith::python {
namespace {

py::list parameters_of(Model& model) {
  py::list out;
  for (const Parameter* parameter : model.parameters()) {
    const Tensor& value = parameter->value;
    std::vector<double> values(static_cast<std::size_t>(value.size()));
    model.backend().download(value, values);
    out.append(py::make_tuple(parameter->name, to_array(std::move(values), {value.rows(), value.cols()})));
  }
  return out;
}

void set_parameter(Model& model, const std::string& name, const Input<double>& values) {
  for (Parameter* parameter : model.parameters()) {
    if (parameter->name != name) continue;
    Tensor& value = parameter->value;
    if (values.ndim() != 2 || values.shape(0) != value.rows() || values.shape(1) != value.cols()) {
      throw py::value_error("Model: " + name + " must have the shape [" + std::to_string(value.rows()) + ", " +
                            std::to_string(value.cols()) + "]");
    }
    model.backend().upload(span_of(values), value);
    return;
  }
  throw py::value_error("Model: there is no parameter " + name);
}

py::array infer(Model& model, const Dataset& dataset) {
  Tensor logits;
  {
    const py::gil_scoped_release release;
    DeviceData data(model.backend(), dataset, model.options().kind);
    logits = model.infer(data.graph());
  }
  return to_array(std::move(logits));
}

py::dict to_dict(const EpochReport& report) {
  const EpochSeconds& seconds = report.seconds;
  const BatchStats& stats = report.stats;
  return py::dict(
      py::arg("epoch") = report.epoch, py::arg("train_loss") = report.train_loss,
      py::arg("seconds") = py::dict(py::arg("total") = seconds.total, py::arg("sample") = seconds.sample,
                                    py::arg("stage") = seconds.stage, py::arg("compute") = seconds.compute,
                                    py::arg("stall") = seconds.stall),
      py::arg("batches") = stats.batches, py::arg("roots") = stats.roots,
      py::arg("input_nodes") = stats.input_nodes, py::arg("edges") = stats.edges,
      py::arg("communities") = stats.communities, py::arg("label_entropy_bits") = stats.label_entropy_bits);
}

/// on_batch(done, of) is called after every batch, so that Ctrl-C gets through too.
py::dict run_epoch(Trainer& trainer, const Loader& loader, std::int32_t epoch, const py::object& on_batch) {
  const auto tell = [&](std::size_t done, std::size_t of) {
    const py::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (!on_batch.is_none()) on_batch(done, of);
  };
  EpochReport report;
  {
    const py::gil_scoped_release release;
    report = trainer.run_epoch(loader, epoch, tell);
  }
  return to_dict(report);
}

py::array array_of(const HostTensor& tensor) {
  std::vector<float> values(tensor.bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return to_array(std::move(values), {tensor.rows, tensor.cols});
}

HostTensor to_host_tensor(const Input<float>& values) {
  if (values.ndim() != 2) throw py::value_error("Trainer: a moment must have two dimensions");
  const std::span<const std::byte> bytes = std::as_bytes(span_of(values));
  return {.name = "moment",
          .rows = values.shape(0),
          .cols = values.shape(1),
          .bytes = std::vector<std::byte>(bytes.begin(), bytes.end())};
}

/// (step, optimiser steps, moments); the parameters are the model's.
py::tuple state_of(Trainer& trainer) {
  const TrainerState state = trainer.save();
  py::list moments;
  for (const HostTensor& moment : state.optimizer) moments.append(array_of(moment));
  return py::make_tuple(state.step, state.num_optimizer_steps, moments);
}

void load_state(Trainer& trainer, std::int64_t step, std::int64_t num_optimizer_steps,
                const std::vector<Input<float>>& moments) {
  TrainerState state = trainer.save();  // its parameters stay
  state.step = step;
  state.num_optimizer_steps = num_optimizer_steps;
  state.optimizer.clear();
  for (const Input<float>& moment : moments) state.optimizer.push_back(to_host_tensor(moment));
  trainer.load(state);
}

double evaluate(Trainer& trainer, const Input<NodeId>& nodes) {
  const std::span<const NodeId> ids = span_of(nodes);
  const py::gil_scoped_release release;
  return trainer.evaluate(ids);
}

}  // namespace

void bind_training(py::module_& module) {
  py::class_<ModelOptions>(module, "ModelOptions")
      .def(py::init<>())
      .def_property(
          "kind", [](const ModelOptions& self) { return name_of(self.kind); },
          [](ModelOptions& self, const std::string& name) { self.kind = parse_model_kind(name); })
      .def_readwrite("in_channels", &ModelOptions::in_channels)
      .def_readwrite("hidden_channels", &ModelOptions::hidden_channels)
      .def_readwrite("out_channels", &ModelOptions::out_channels)
      .def_readwrite("num_layers", &ModelOptions::num_layers)
      .def_readwrite("heads", &ModelOptions::heads)
      .def_readwrite("dropout", &ModelOptions::dropout)
      .def_readwrite("seed", &ModelOptions::seed);
  py::class_<Model>(module, "Model")
      .def(py::init<Backend&, const ModelOptions&>(), py::arg("backend"), py::arg("options"),
           py::keep_alive<1, 2>())
      .def("parameters", &parameters_of)
      .def("set_parameter", &set_parameter, py::arg("name"), py::arg("values").noconvert())
      .def("infer", &infer, py::arg("dataset"));
  py::class_<Trainer>(module, "Trainer")
      .def(py::init([](Model& model, const Dataset& dataset, double lr, double weight_decay, double ema,
                       const std::string& metric, const std::optional<StagingOptions>& staging) {
             const AdamOptions adam{.lr = lr, .weight_decay = weight_decay, .average_decay = ema};
             return std::make_unique<Trainer>(model, dataset,
                                              TrainerOptions{.adam = adam,
                                                             .metric = parse_metric(metric),
                                                             .staging = staging.value_or(StagingOptions{})});
           }),
           py::arg("model"), py::arg("dataset"), py::arg("lr"), py::arg("weight_decay"), py::arg("ema"),
           py::arg("metric"), py::arg("staging").none(true), py::keep_alive<1, 2>(), py::keep_alive<1, 3>())
      .def("swap_averages", &Trainer::swap_averages)
      .def("run_epoch", &run_epoch, py::arg("loader"), py::arg("epoch"), py::arg("on_batch"))
      .def("state", &state_of)
      .def("load_state", &load_state, py::arg("step"), py::arg("num_optimizer_steps"), py::arg("moments"))
      .def("evaluate", &evaluate, py::arg("nodes").noconvert());
}

}  // namespace kith::python
