// NumPy .npz files in the usual layout of graph data sets.
#pragma once

#include <memory>
#include <string>

#include "datasets/source.h"

namespace kith {

/// Arrays by key (N nodes, E edges, C classes; other keys are passed over):
///   edge_index   integer [2, E], source row first, C or Fortran order; or `edges` [E, 2]
///   num_nodes    integer, optional: else from x, y or the largest id
///   x            any number [N, F] in C order; or CSR parts x_indptr [N + 1], x_indices, x_shape [2] and
///   optional x_data
///                (absent: ones; repeated columns add up); or `node_features`
///   y            integer [N] or [N, 1], -1 = none; or 0/1 [N, C]; or CSR parts y_indptr, y_indices, y_shape;
///   or
///                `node_labels`
///   train_mask, val_mask, test_mask   bool [N]; or train_masks, ... [S, N], of which the first row is taken
///   directed     bool; else the word `directed` of the JSON text `meta`; else the graph counts as undirected
/// Undirected edges may be stored once or in both directions. Integers become labels of up to kMaxClasses
/// classes.
std::unique_ptr<Source> open_npz_source(const std::string& path);

}  // namespace kith
