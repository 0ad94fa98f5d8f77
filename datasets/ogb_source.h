// The raw folders of OGB's node property data sets.
#pragma once

#include <memory>
#include <string>

#include "datasets/source.h"

namespace kith {

/// `path` holds raw/ with edge, num-node-list, num-edge-list, node-feat (optional) and node-label (optional),
/// and split/ with one scheme of train, valid and test (optional); each .csv.gz or .csv. One label column is a
/// class (nan or -1 = none), several are 0/1 of a multi-label task. Directed: the files do not say which sets
/// (products, proteins) store undirected edges once, so prepare those with --symmetrize.
std::unique_ptr<Source> open_ogb_source(const std::string& path);

}  // namespace kith
