#include "train/staging/feature_pieces.h"

#include <gtest/gtest.h>

#include <cstring>

#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "tests/support/learnable.h"
#include "tests/support/temp_folder.h"
#include "train/device_data.h"
#include "train/model.h"

namespace kith {
namespace {

class FeaturePiecesTest : public ::testing::Test {
 protected:
  FeaturePiecesTest() {
    write_dataset(path_, test::learnable_dataset());
    left_ = read_dataset(path_, {.leave_features = true});
    mapped_ = read_dataset(path_);
  }

  test::TempFolder folder_;
  std::string path_ = folder_.file("learnable.kith.h5");
  Dataset left_, mapped_;
};

TEST_F(FeaturePiecesTest, GiveRowsOfTheFile) {
  ASSERT_FALSE(left_.features.is_in_memory());
  ASSERT_TRUE(mapped_.features.is_in_memory());
  FeaturePieces pieces(left_.features, 100 * left_.features.view().row_bytes());
  EXPECT_EQ(pieces.max_rows(), 100);
  const FeatureView table = mapped_.features.view();
  const FeatureView range = pieces.read(37, 50);
  EXPECT_EQ(range.num_rows, 50);
  EXPECT_EQ(std::memcmp(range.data, table.row(37), 50 * table.row_bytes()), 0);
}

TEST_F(FeaturePiecesTest, InferToTheSameBitsForEveryModel) {
  const auto backend = make_cpu_backend();
  for (const ModelKind kind : {ModelKind::sage, ModelKind::gcn, ModelKind::gat, ModelKind::gin}) {
    for (const std::int32_t hidden : {2, 64}) {  // narrower and wider than the features
      SCOPED_TRACE(testing::Message() << name_of(kind) << " " << hidden);
      Model model(*backend, {.kind = kind,
                             .in_channels = mapped_.features.dim(),
                             .hidden_channels = hidden,
                             .out_channels = mapped_.labels.num_classes,
                             .num_layers = 2});
      const auto infer = [&](const Dataset& dataset, FeaturePieces* pieces) {
        DeviceData data(*backend, dataset, kind);
        DeviceGraph graph = data.graph();
        graph.pieces = pieces;
        const Tensor logits = model.infer(graph);
        std::vector<double> values(static_cast<std::size_t>(logits.size()));
        backend->download(logits, values);
        return values;
      };
      FeaturePieces pieces(left_.features, 30 * left_.features.view().row_bytes());  // many pieces
      EXPECT_EQ(infer(left_, &pieces), infer(mapped_, nullptr));
    }
  }
}

TEST_F(FeaturePiecesTest, NeedAFile) {
  const Dataset loaded = read_dataset(path_, {.map_features = false});
  EXPECT_THROW(FeaturePieces{loaded.features}, InvalidArgument);
}

}  // namespace
}  // namespace kith
