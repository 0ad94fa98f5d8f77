// A synthetic graph with communities, for quick starts and tests: a degree-corrected block model with two
// nested levels.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "graph/dataset.h"
#include "graph/types.h"

namespace kith {

/// What to generate. Fine communities (log-normal sizes) are grouped into coarse ones.
struct GenerateOptions {
  NodeId num_nodes = 0;      ///< >= 2
  EdgeOffset num_edges = 0;  ///< directed edges of the result, >= 0 and even: an undirected edge counts twice
  std::int32_t num_communities = 0;  ///< fine communities, at most a node each; 0 = one per 250 nodes
  std::int32_t num_coarse = 0;       ///< coarse communities; 0 = one per 16 fine ones
  double intra = 0.85;            ///< share of the edges inside a fine community, 0..1; half of the other ones
                                  ///< stay inside the coarse community
  double degree_exponent = 2.2;   ///< density exponent of the Pareto node weights, > 1
  std::int32_t feature_dim = 64;  ///< >= 0
  std::int32_t num_classes = 16;  ///< >= 1
  double feature_noise = 0.7;     ///< standard deviation of a feature around the mean of its class, >= 0; the
                                  ///< means of two classes are about 1.4 apart in all
  double label_noise = 0.1;       ///< share of the nodes with a uniformly random label, 0..1
  double train_share = 0.5;       ///< 0..1; the rest is halved into validation and test
  FeatureType feature_type = FeatureType::f32;
  std::uint64_t seed = 0;
};

/// Everything but the features. Nodes are numbered by community, heavier nodes first; levels are the planted
/// communities. The same for the same options on any number of threads. Throws InvalidArgument for options out
/// of range and for more edges than the communities can hold.
Dataset generate_graph(const GenerateOptions& options);

/// Writes generate_graph's result and its features to `path`; the features are made while they are written.
/// `progress` is told one line a stage and may be empty. Returns the dataset without features. Throws as
/// DatasetWriter does.
Dataset generate_dataset(const std::string& path, const GenerateOptions& options,
                         const std::function<void(const std::string&)>& progress);

}  // namespace kith
