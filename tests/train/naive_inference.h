// Inference of every model kind, written out by hand: node by node over dense rows, in double precision.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "graph/dataset.h"
#include "train/model.h"

namespace kith::test {

/// Rows of equal width.
using Matrix = std::vector<std::vector<double>>;

/// One layer of a model over a whole graph. The model must be of f64.
class NaiveLayer {
 public:
  NaiveLayer(Model& model, std::int32_t layer, CsrView graph)
      : model_(model), graph_(graph), prefix_("convs." + std::to_string(layer) + ".") {}

  Matrix operator()(const Matrix& x, bool is_last) const {
    Matrix out;
    const Matrix projected = model_.options().kind == ModelKind::gat ? product(x, "lin.weight") : Matrix();
    for (NodeId v = 0; v < graph_.num_nodes(); ++v) {
      switch (model_.options().kind) {
        case ModelKind::sage:
          out.push_back(sage(x, v));
          break;
        case ModelKind::gcn:
          out.push_back(linear(gcn_sum(x, v), "lin.weight", "bias"));
          break;
        case ModelKind::gat:
          out.push_back(gat(projected, v, is_last));
          break;
        case ModelKind::gin:
          out.push_back(gin(x, v));
          break;
      }
    }
    return out;
  }

 private:
  const Parameter& parameter(const std::string& name) const {
    const auto all = model_.parameters();
    return **std::ranges::find_if(all, [&](const Parameter* p) { return p->name == prefix_ + name; });
  }

  /// row @ weight + bias; no bias where its name is empty.
  std::vector<double> linear(const std::vector<double>& row, const std::string& weight_name,
                             const std::string& bias_name = "") const {
    const Tensor& weight = parameter(weight_name).value;
    std::vector<double> out(static_cast<std::size_t>(weight.cols()));
    for (std::size_t j = 0; j < out.size(); ++j) {
      if (!bias_name.empty()) out[j] = parameter(bias_name).value.values<double>()[j];
      for (std::size_t i = 0; i < row.size(); ++i)
        out[j] += row[i] * weight.values<double>()[i * out.size() + j];
    }
    return out;
  }

  Matrix product(const Matrix& x, const std::string& weight_name) const {
    Matrix out;
    for (const auto& row : x) out.push_back(linear(row, weight_name));
    return out;
  }

  static void add(std::vector<double>& to, double factor, const std::vector<double>& from) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * from[i];
  }

  std::vector<double> sage(const Matrix& x, NodeId v) const {
    std::vector<double> mean(x[0].size());
    for (const NodeId u : graph_.row(v)) add(mean, 1.0 / graph_.degree(v), x[u]);
    std::vector<double> out = linear(mean, "lin_l.weight", "lin_l.bias");
    add(out, 1, linear(x[v], "lin_r.weight"));
    return out;
  }

  std::vector<double> gcn_sum(const Matrix& x, NodeId v) const {
    const auto degree = [&](NodeId u) { return graph_.degree(u) + 1.0; };
    std::vector<double> sum(x[0].size());
    for (const NodeId u : graph_.row(v)) add(sum, 1 / std::sqrt(degree(u) * degree(v)), x[u]);
    add(sum, 1 / degree(v), x[v]);
    return sum;
  }

  std::vector<double> gin(const Matrix& x, NodeId v) const {
    std::vector<double> sum = x[v];
    for (const NodeId u : graph_.row(v)) add(sum, 1, x[u]);
    std::vector<double> hidden = linear(sum, "nn.lins.0.weight", "nn.lins.0.bias");
    for (double& h : hidden) h = std::max(h, 0.0);
    return linear(hidden, "nn.lins.1.weight", "nn.lins.1.bias");
  }

  std::vector<double> gat(const Matrix& projected, NodeId v, bool is_last) const {
    const auto bias = parameter("bias").value.values<double>();
    const auto heads = static_cast<std::size_t>(model_.options().heads);
    const std::size_t columns = projected[0].size() / heads;
    const auto dot = [&](const std::string& name, NodeId u, std::size_t h) {
      double sum = 0;
      for (std::size_t j = h * columns; j < (h + 1) * columns; ++j) {
        sum += parameter(name).value.values<double>()[j] * projected[u][j];
      }
      return sum;
    };
    std::vector<NodeId> sources = {v};
    for (const NodeId u : graph_.row(v)) {
      if (u != v) sources.push_back(u);
    }
    std::vector<double> out(bias.begin(), bias.end());
    for (std::size_t h = 0; h < heads; ++h) {
      double total = 0;
      std::vector<double> sum(columns);
      for (const NodeId u : sources) {
        const double score = dot("att_src", u, h) + dot("att_dst", v, h);
        const double power = std::exp(score > 0 ? score : 0.2 * score);
        total += power;
        for (std::size_t j = 0; j < columns; ++j) sum[j] += power * projected[u][h * columns + j];
      }
      for (std::size_t j = 0; j < columns; ++j) {
        if (is_last) {
          out[j] += sum[j] / total / static_cast<double>(heads);
        } else {
          out[h * columns + j] += sum[j] / total;
        }
      }
    }
    return out;
  }

  Model& model_;
  CsrView graph_;
  std::string prefix_;
};

/// Logits of all nodes, row by row.
inline std::vector<double> naive_inference(Model& model, const Dataset& dataset) {
  const std::int32_t dim = dataset.features.dim();
  const auto* table = reinterpret_cast<const float*>(dataset.features.view().data);
  Matrix x;
  for (NodeId v = 0; v < dataset.num_nodes(); ++v) {
    x.emplace_back(table + static_cast<std::ptrdiff_t>(v) * dim, table + (v + std::ptrdiff_t{1}) * dim);
  }
  const std::int32_t num_layers = model.options().num_layers;
  for (std::int32_t layer = 0; layer < num_layers; ++layer) {
    const bool is_last = layer + 1 == num_layers;
    x = NaiveLayer(model, layer, dataset.graph.view())(x, is_last);
    for (auto& row : x) {
      for (double& value : row) value = is_last ? value : std::max(value, 0.0);
    }
  }
  std::vector<double> all;
  for (const auto& row : x) all.insert(all.end(), row.begin(), row.end());
  return all;
}

}  // namespace kith::test
