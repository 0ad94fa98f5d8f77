#include "datasets/generate.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

#include "datasets/block_model.h"
#include "datasets/feature_cast.h"
#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "sampler/rng.h"

namespace kith {
namespace {

// Keeps the draws of one seed apart; block_model.cpp has the numbers from 200.
enum class Stream : std::uint8_t {
  sizes = 208,
  weights,
  fine_class,
  coarse_class,
  label,
  split,
  class_mean,
  features
};

Rng stream(std::uint64_t seed, Stream purpose, std::size_t item = 0) {
  return Rng(seed, static_cast<std::uint32_t>(item), 0, 0, static_cast<std::uint8_t>(purpose));
}

// In (0, 1).
double uniform(Rng& rng) { return (static_cast<double>(rng.next32()) + 0.5) * 0x1.0p-32; }

// Two independent standard normal values (Box and Muller).
std::pair<double, double> normal_pair(Rng& rng) {
  const double radius = std::sqrt(-2 * std::log(uniform(rng)));
  const double angle = 2 * std::numbers::pi * uniform(rng);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

// Fills in the options that depend on others. Throws InvalidArgument for any that is out of range.
GenerateOptions resolve(GenerateOptions options) {
  const auto is_share = [](double value) { return value >= 0 && value <= 1; };
  KITH_CHECK(options.num_nodes >= 2, InvalidArgument, "generate: nodes must be >= 2, got ", options.num_nodes);
  KITH_CHECK(options.num_edges >= 0 && options.num_edges % 2 == 0, InvalidArgument,
             "generate: edges must be >= 0 and even (both directions count), got ", options.num_edges);
  if (options.num_communities == 0) options.num_communities = std::max(1, options.num_nodes / 250);
  KITH_CHECK(options.num_communities >= 1 && options.num_communities <= options.num_nodes, InvalidArgument,
             "generate: communities must be in 1..nodes, got ", options.num_communities);
  if (options.num_coarse == 0) options.num_coarse = std::max(1, options.num_communities / 16);
  KITH_CHECK(options.num_coarse >= 1 && options.num_coarse <= options.num_communities, InvalidArgument,
             "generate: coarse communities must be in 1..communities, got ", options.num_coarse);
  KITH_CHECK(is_share(options.intra), InvalidArgument, "generate: intra must be in 0..1, got ", options.intra);
  KITH_CHECK(options.degree_exponent > 1 && options.degree_exponent < 100, InvalidArgument,
             "generate: the degree exponent must be > 1 and < 100, got ", options.degree_exponent);
  KITH_CHECK(options.feature_dim >= 0, InvalidArgument, "generate: features must be >= 0, got ",
             options.feature_dim);
  KITH_CHECK(options.num_classes >= 1, InvalidArgument, "generate: classes must be >= 1, got ",
             options.num_classes);
  KITH_CHECK(options.feature_noise >= 0 && options.feature_noise <= 1000, InvalidArgument,
             "generate: feature noise must be in 0..1000, got ", options.feature_noise);
  KITH_CHECK(is_share(options.label_noise), InvalidArgument, "generate: label noise must be in 0..1, got ",
             options.label_noise);
  KITH_CHECK(is_share(options.train_share), InvalidArgument, "generate: train share must be in 0..1, got ",
             options.train_share);
  return options;
}

// Log-normal sizes (sigma 0.5), at least one node each.
std::vector<EdgeOffset> draw_fine_bounds(const GenerateOptions& options) {
  constexpr double kSigma = 0.5;
  const auto count = static_cast<std::size_t>(options.num_communities);
  std::vector<double> sum(count + 1);
  Rng rng = stream(options.seed, Stream::sizes);
  for (std::size_t c = 0; c < count; ++c) sum[c + 1] = sum[c] + std::exp(kSigma * normal_pair(rng).first);
  std::vector<EdgeOffset> bounds(count + 1);
  const EdgeOffset num_nodes = options.num_nodes;
  for (std::size_t c = 1; c <= count; ++c) {
    const EdgeOffset ideal = std::llround(static_cast<double>(num_nodes) * (sum[c] / sum[count]));
    bounds[c] = std::clamp(ideal, bounds[c - 1] + 1, num_nodes - static_cast<EdgeOffset>(count - c));
  }
  return bounds;
}

// Runs of fine communities, as equal in number as can be.
std::vector<EdgeOffset> group_bounds(std::span<const EdgeOffset> fine, std::int32_t num_coarse) {
  const auto num_fine = static_cast<std::int64_t>(fine.size()) - 1;
  std::vector<EdgeOffset> bounds;
  for (std::int64_t c = 0; c <= num_coarse; ++c) {
    bounds.push_back(fine[static_cast<std::size_t>(c * num_fine / num_coarse)]);
  }
  return bounds;
}

// Pareto weights, at least 1 and at most kCap, heavier nodes first in each fine community; as a running sum.
std::vector<double> draw_weight_sum(const GenerateOptions& options, std::span<const EdgeOffset> fine) {
  constexpr double kCap = 100;  // about 27 times the mean weight at exponent 2.2
  const auto num_nodes = static_cast<std::size_t>(options.num_nodes);
  const double power = options.degree_exponent - 1;
  const double tail = 1 - std::pow(kCap, -power);
  std::vector<double> sum(num_nodes + 1);
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, num_nodes, 4096), [&](const auto& range) {
    for (std::size_t v = range.begin(); v != range.end(); ++v) {
      Rng rng = stream(options.seed, Stream::weights, v);
      sum[v + 1] = std::pow(1 - uniform(rng) * tail, -1 / power);
    }
  });
  for (std::size_t c = 1; c < fine.size(); ++c) {
    std::sort(sum.begin() + 1 + fine[c - 1], sum.begin() + 1 + fine[c], std::greater<>());
  }
  for (std::size_t v = 1; v <= num_nodes; ++v) sum[v] += sum[v - 1];
  return sum;
}

// Where a kind of edge has no place (a single community, say), its share goes to the next coarser or finer
// kind.
EdgeQuota split_edges(const GenerateOptions& options) {
  const EdgeOffset pairs = options.num_edges / 2;
  EdgeQuota quota;
  quota.fine = std::llround(options.intra * static_cast<double>(pairs));
  quota.coarse = (pairs - quota.fine) / 2;
  quota.outside = pairs - quota.fine - quota.coarse;
  if (options.num_coarse == options.num_communities) quota.outside += std::exchange(quota.coarse, 0);
  if (options.num_coarse == 1) {
    EdgeOffset& rest = options.num_communities == 1 ? quota.fine : quota.coarse;
    rest += std::exchange(quota.outside, 0);
  }
  return quota;
}

// Every class about equally often, in random order.
std::vector<std::int32_t> deal_classes(std::size_t count, const GenerateOptions& options, Stream purpose) {
  std::vector<std::int32_t> classes(count);
  for (std::size_t i = 0; i < count; ++i) {
    classes[i] = static_cast<std::int32_t>(i % static_cast<std::size_t>(options.num_classes));
  }
  Rng rng = stream(options.seed, purpose);
  shuffle(std::span(classes), rng);
  return classes;
}

// The classes that the features show; labels are these plus noise. Most nodes of a fine community share its
// class, one in four has the class of the coarse community: neighbours tell the class, but a community is not
// of one class alone.
std::vector<std::int32_t> draw_classes(const Dataset& dataset, const GenerateOptions& options) {
  constexpr double kShareOfCoarse = 0.25;
  const Communities& fine = dataset.levels.front();
  const Communities& coarse = dataset.levels.back();
  const auto of_fine =
      deal_classes(static_cast<std::size_t>(fine.num_communities()), options, Stream::fine_class);
  const auto of_coarse =
      deal_classes(static_cast<std::size_t>(coarse.num_communities()), options, Stream::coarse_class);
  std::vector<std::int32_t> classes(static_cast<std::size_t>(options.num_nodes));
  for (NodeId v = 0; v < options.num_nodes; ++v) {
    Rng rng = stream(options.seed, Stream::label, static_cast<std::size_t>(v));
    const bool is_of_coarse = uniform(rng) < kShareOfCoarse;
    classes[v] = is_of_coarse ? of_coarse[coarse.community_of(v)] : of_fine[fine.community_of(v)];
  }
  return classes;
}

Labels draw_labels(std::vector<std::int32_t> classes, const GenerateOptions& options) {
  for (std::size_t v = 0; v < classes.size(); ++v) {
    Rng rng = stream(options.seed, Stream::label, v);
    rng.next32();  // draw_classes has used the first
    if (uniform(rng) < options.label_noise) {
      classes[v] = static_cast<std::int32_t>(rng.bounded32(static_cast<std::uint32_t>(options.num_classes)));
    }
  }
  return {.of_node = std::move(classes), .indicator = {}, .num_classes = options.num_classes};
}

Splits draw_splits(const GenerateOptions& options) {
  std::vector<NodeId> nodes(static_cast<std::size_t>(options.num_nodes));
  for (NodeId v = 0; v < options.num_nodes; ++v) nodes[v] = v;
  Rng rng = stream(options.seed, Stream::split);
  shuffle(std::span(nodes), rng);
  const auto num_train = std::llround(options.train_share * options.num_nodes);
  const auto num_valid = (options.num_nodes - num_train) / 2;
  const auto train_end = nodes.begin() + num_train;
  const auto valid_end = train_end + num_valid;
  Splits splits{{nodes.begin(), train_end}, {train_end, valid_end}, {valid_end, nodes.end()}};
  for (auto* part : {&splits.train, &splits.valid, &splits.test}) std::sort(part->begin(), part->end());
  return splits;
}

// [num_classes x dim], each row of length about 1.
std::vector<float> draw_class_means(const GenerateOptions& options) {
  const auto dim = static_cast<std::size_t>(options.feature_dim);
  std::vector<float> means(dim * static_cast<std::size_t>(options.num_classes));
  const double scale = 1 / std::sqrt(std::max(1.0, static_cast<double>(dim)));
  for (std::size_t i = 0; i < means.size(); ++i) {
    Rng rng = stream(options.seed, Stream::class_mean, i);
    means[i] = static_cast<float>(scale * normal_pair(rng).first);
  }
  return means;
}

void write_features(DatasetWriter& writer, std::span<const std::int32_t> classes,
                    const GenerateOptions& options) {
  const auto dim = static_cast<std::size_t>(options.feature_dim);
  const std::vector<float> means = draw_class_means(options);
  const std::size_t row_bytes = dim * size_of(options.feature_type);
  const std::size_t chunk =
      std::max<std::size_t>(1, (std::size_t{4} << 20) / std::max<std::size_t>(1, row_bytes));
  std::vector<std::byte> rows(chunk * row_bytes);
  const auto row = [&](std::size_t i) { return std::span(rows).subspan(i * row_bytes, row_bytes); };
  writer.create_features(options.num_nodes, options.feature_dim, options.feature_type);
  for (std::size_t first = 0; first < classes.size(); first += chunk) {
    const std::size_t count = std::min(chunk, classes.size() - first);
    tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count, 64), [&](const auto& range) {
      std::vector<float> values(dim + 1);
      for (std::size_t i = range.begin(); i != range.end(); ++i) {
        const std::size_t v = first + i;
        Rng rng = stream(options.seed, Stream::features, v);
        const float* mean = means.data() + static_cast<std::size_t>(classes[v]) * dim;
        for (std::size_t d = 0; d < dim; d += 2) {
          const auto [a, b] = normal_pair(rng);
          values[d] = mean[d] + static_cast<float>(options.feature_noise * a);
          if (d + 1 < dim) values[d + 1] = mean[d + 1] + static_cast<float>(options.feature_noise * b);
        }
        cast_features(std::span(values).first(dim), options.feature_type, row(i));
      }
    });
    for (std::size_t i = 0; i < count; ++i)
      writer.write_feature_row(static_cast<std::int64_t>(first + i), row(i));
  }
}

}  // namespace

Dataset generate_graph(const GenerateOptions& given) {
  const GenerateOptions options = resolve(given);
  BlockModel model;
  model.fine = draw_fine_bounds(options);
  model.coarse = group_bounds(model.fine, options.num_coarse);
  model.weight_sum = draw_weight_sum(options, model.fine);
  Dataset dataset;
  dataset.graph = draw_edges(model, split_edges(options), options.seed);
  dataset.levels.emplace_back(std::move(model.fine), options.num_nodes, "generate");
  if (options.num_coarse < options.num_communities) {
    dataset.levels.emplace_back(std::move(model.coarse), options.num_nodes, "generate");
  }
  dataset.labels = draw_labels(draw_classes(dataset, options), options);
  dataset.splits = draw_splits(options);
  dataset.original_id.resize(static_cast<std::size_t>(options.num_nodes));
  for (NodeId v = 0; v < options.num_nodes; ++v) dataset.original_id[v] = v;
  dataset.provenance = {
      .source = "generate", .method = "planted", .seed = options.seed, .directed = false, .created = {}};
  return dataset;
}

Dataset generate_dataset(const std::string& path, const GenerateOptions& given,
                         const std::function<void(const std::string&)>& progress) {
  const auto say = [&](const std::string& line) {
    if (progress) progress(line);
  };
  const GenerateOptions options = resolve(given);
  DatasetWriter writer(path);  // first, so that a place that cannot be written to is found before the work
  say(concat("drawing ", options.num_edges, " directed edges among ", options.num_nodes, " nodes in ",
             options.num_communities, " communities"));
  Dataset dataset = generate_graph(options);
  say("writing the graph");
  writer.write_graph(dataset.graph.view());
  writer.write_nodes(dataset.original_id, dataset.labels);
  writer.write_levels(dataset.levels);
  writer.write_splits(dataset.splits);
  if (options.feature_dim > 0) {
    say(concat("writing ", options.feature_dim, " features a node"));
    write_features(writer, draw_classes(dataset, options), options);
  }
  writer.commit(dataset.provenance);
  return dataset;
}

}  // namespace kith
