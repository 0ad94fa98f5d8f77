// The last stage of prepare: node data and features in the order of the communities, and the file.
#pragma once

#include "datasets/prepare.h"
#include "datasets/prepare_stages.h"
#include "datasets/source.h"
#include "graph/dataset_file.h"
#include "graph/scratch.h"

namespace kith {

/// What the earlier stages made.
struct FinishedStages {
  NodeData nodes;  ///< in the order of the source
  CommunityStage communities;
  StageGraph graph;  ///< renumbered
};

/// Writes and commits the file, and notes in `report` what is in it. source: only asked for features, and only
/// if there are any; nullptr otherwise. scratch: nullptr if the graph is in memory. Throws as prepare does.
void write_output(DatasetWriter& writer, FinishedStages stages, Source* source, Scratch* scratch,
                  const PrepareOptions& options, PrepareReport& report);

}  // namespace kith
