#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "datasets/from_arrays.h"
#include "graph/dataset.h"
#include "graph/dataset_file.h"
#include "python/arrays.h"
#include "python/bindings.h"

namespace kith::python {
namespace {

using Self = py::object;  // a getter needs the Python object, to keep it alive under a view

const Dataset& dataset_of(const Self& self) { return self.cast<const Dataset&>(); }

py::object features_of(const Self& self) {
  const FeatureView features = dataset_of(self).features.view();
  if (features.dim == 0) return py::none();
  const std::vector<py::ssize_t> shape{features.num_rows, features.dim};
  // NumPy has no bf16: its bits come as uint16.
  const char* dtype = features.type == FeatureType::f32 ? "float32" : "float16";
  if (features.type == FeatureType::bf16) dtype = "uint16";
  py::array array = array_over(py::dtype(dtype), static_cast<py::ssize_t>(size_of(features.type)), shape,
                               features.data, self);
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

py::object labels_of(const Self& self) {
  const Labels& labels = dataset_of(self).labels;
  if (labels.empty()) return py::none();
  if (!labels.is_multi_label()) return view_of<std::int32_t>(labels.of_node, self);
  return view_of<std::uint8_t>(labels.indicator, self, {dataset_of(self).num_nodes(), labels.num_classes});
}

/// `x` must stay alive while the view is in use.
FeatureView feature_view(const std::optional<py::array>& x) {
  if (!x) return {};
  const bool is_f32 = py::isinstance<Input<float>>(*x);
  const bool is_f16 = x->dtype().equal(py::dtype("float16")) && (x->flags() & py::array::c_style) != 0;
  if (x->ndim() != 2 || x->shape(1) == 0 || x->shape(1) > INT32_MAX || !(is_f32 || is_f16)) {
    throw py::value_error(
        "Dataset.from_arrays: x must be a C-contiguous float32 or float16 array [num_nodes, num_features] "
        "(see numpy.ascontiguousarray), got " +
        std::string(py::str(x->dtype())) + " with shape " + std::string(py::str(x->attr("shape"))));
  }
  return {.data = static_cast<const std::byte*>(x->data()),
          .num_rows = x->shape(0),
          .dim = static_cast<std::int32_t>(x->shape(1)),
          .type = is_f32 ? FeatureType::f32 : FeatureType::f16};
}

void bind_partition_options(py::module_& module) {
  py::class_<PartitionOptions>(module, "PartitionOptions")
      .def(py::init<>())
      .def_property(
          "method",
          [](const PartitionOptions& o) { return o.method == PartitionMethod::metis ? "metis" : "lpa"; },
          [](PartitionOptions& o, const std::string& name) { o.method = parse_partition_method(name); })
      .def_readwrite("num_communities", &PartitionOptions::num_communities)
      .def_readwrite("community_size", &PartitionOptions::community_size)
      .def_readwrite("num_levels", &PartitionOptions::num_levels)
      .def_readwrite("imbalance", &PartitionOptions::imbalance)
      .def_readwrite("seed", &PartitionOptions::seed);
}

std::unique_ptr<Dataset> from_arrays(NodeId num_nodes, const Input<std::int64_t>& edge_index,
                                     const std::optional<py::array>& x,
                                     const std::optional<Input<std::int32_t>>& labels,
                                     const std::optional<Input<std::uint8_t>>& label_indicator,
                                     std::int32_t num_classes, const py::dict& splits,
                                     const std::optional<Input<std::int32_t>>& communities, bool symmetrize,
                                     const PartitionOptions& options) {
  const std::span<const std::int64_t> both = span_of(edge_index);
  ArrayGraph arrays{.num_nodes = num_nodes,
                    .sources = both.first(both.size() / 2),
                    .targets = both.last(both.size() / 2),
                    .features = feature_view(x),
                    .labels = {},
                    .splits = {},
                    .community_of = {}};
  if (labels) arrays.labels.of_node = vector_of(*labels);
  if (label_indicator) arrays.labels.indicator = vector_of(*label_indicator);
  arrays.labels.num_classes = num_classes;
  if (communities) arrays.community_of = span_of(*communities);
  arrays.splits = {.train = vector_of(splits["train"].cast<Input<NodeId>>()),
                   .valid = vector_of(splits["valid"].cast<Input<NodeId>>()),
                   .test = vector_of(splits["test"].cast<Input<NodeId>>())};
  const py::gil_scoped_release release;
  return std::make_unique<Dataset>(
      dataset_from_arrays(std::move(arrays), {.symmetrize = symmetrize, .partition = options}));
}

std::unique_ptr<Dataset> open(const std::string& path, bool map_features, bool verify) {
  const py::gil_scoped_release release;
  return std::make_unique<Dataset>(
      read_dataset(path, {.map_features = map_features, .verify_checksums = verify}));
}

}  // namespace

void bind_dataset(py::module_& module) {
  bind_partition_options(module);
  py::class_<Dataset>(module, "Dataset")
      .def_static("open", &open, py::arg("path"), py::arg("map_features"), py::arg("verify"))
      .def_static("from_arrays", &from_arrays, py::kw_only(), py::arg("num_nodes"),
                  py::arg("edge_index").noconvert(), py::arg("x"), py::arg("labels").noconvert(),
                  py::arg("label_indicator").noconvert(), py::arg("num_classes"), py::arg("splits"),
                  py::arg("communities").noconvert(), py::arg("symmetrize"), py::arg("options"))
      .def(
          "save", [](const Dataset& self, const std::string& path) { write_dataset(path, self); },
          py::arg("path"), py::call_guard<py::gil_scoped_release>())
      .def(
          "split",
          [](const Self& self, const std::string& name) {
            return view_of<NodeId>(dataset_of(self).splits.named(name), self);
          },
          py::arg("name"))
      .def(
          "community_of",
          [](const Self& self, std::int32_t level) {
            return view_of<std::int32_t>(dataset_of(self).communities(level).community_of(), self);
          },
          py::arg("level"))
      .def(
          "community_offsets",
          [](const Self& self, std::int32_t level) {
            return view_of<EdgeOffset>(dataset_of(self).communities(level).offsets(), self);
          },
          py::arg("level"))
      .def(
          "first_non_finite_row",
          [](const Dataset& self) { return first_non_finite_row(self.features.view()); },
          py::call_guard<py::gil_scoped_release>())
      .def_property_readonly("num_nodes", &Dataset::num_nodes)
      .def_property_readonly("num_edges", [](const Dataset& self) { return self.graph.num_edges(); })
      .def_property_readonly("num_features", [](const Dataset& self) { return self.features.dim(); })
      .def_property_readonly("num_classes", [](const Dataset& self) { return self.labels.num_classes; })
      .def_property_readonly("num_levels", [](const Dataset& self) { return self.levels.size(); })
      .def_property_readonly("is_multi_label", [](const Dataset& self) { return self.labels.is_multi_label(); })
      .def_property_readonly("is_directed", [](const Dataset& self) { return self.provenance.directed; })
      .def_property_readonly("feature_type",
                             [](const Dataset& self) { return name_of(self.features.view().type); })
      .def_property_readonly("x", &features_of)
      .def_property_readonly("y", &labels_of)
      .def_property_readonly(
          "indptr",
          [](const Self& self) { return view_of<EdgeOffset>(dataset_of(self).graph.view().offsets, self); })
      .def_property_readonly(
          "indices",
          [](const Self& self) { return view_of<NodeId>(dataset_of(self).graph.view().neighbors, self); })
      .def_property_readonly(
          "original_id",
          [](const Self& self) { return view_of<std::int64_t>(dataset_of(self).original_id, self); })
      .def_property_readonly(
          "edge_id", [](const Self& self) { return view_of<std::int64_t>(dataset_of(self).edge_id, self); });
}

}  // namespace kith::python
