// The Planetoid citation graphs: files ind.NAME.{tx,allx,y,ty,ally,graph,test.index}, pickles of Python 2.
#pragma once

#include <memory>
#include <string>

#include "datasets/source.h"

namespace kith {

/// `path` is the folder, if it holds one data set, or one of its files, or FOLDER/ind.NAME. Undirected, stored
/// in both directions. Splits are the public ones: the first len(y) nodes, the 500 after them, and test.index.
/// Ids between the smallest and the largest test id that are not in test.index (citeseer) are nodes with zero
/// features and no label. ind.NAME.x is not read: it repeats the first rows of allx. The pickles are read as
/// data; nothing in them is executed.
std::unique_ptr<Source> open_planetoid_source(const std::string& path);

}  // namespace kith
