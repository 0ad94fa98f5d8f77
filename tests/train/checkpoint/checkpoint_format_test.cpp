#include "train/checkpoint/checkpoint_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/train/checkpoint/some_checkpoint.h"

namespace kith {
namespace {

using testing::HasSubstr;
using Bytes = std::vector<std::byte>;

std::string problem_of(const Bytes& bytes) {
  return test::error_of<IoError>([&] { decode(bytes, "a.ckpt"); });
}

/// Replaces a text of the header by one of the same length, and makes the checksum right again.
Bytes forged(const std::string& from, const std::string& to) {
  Bytes bytes = encode(test::some_checkpoint());
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t place = text.find(from);
  if (place == std::string::npos || from.size() != to.size()) ADD_FAILURE() << "cannot forge " << from;
  text.replace(place, from.size(), to);
  std::memcpy(bytes.data(), text.data(), text.size());
  const std::uint64_t checksum = XXH3_64bits(bytes.data(), bytes.size() - sizeof(std::uint64_t));
  std::memcpy(bytes.data() + bytes.size() - sizeof checksum, &checksum, sizeof checksum);
  return bytes;
}

TEST(CheckpointFormat, BringsEveryFieldBack) {
  const Checkpoint in = test::some_checkpoint();
  const Bytes bytes = encode(in);
  const Checkpoint out = decode(bytes, "a.ckpt");
  EXPECT_EQ(encode(out), bytes);  // all of the header
  EXPECT_EQ(out.trainer.parameters, in.trainer.parameters);
  EXPECT_EQ(out.trainer.optimizer, in.trainer.optimizer);
  EXPECT_EQ(out.best_parameters, in.best_parameters);
  EXPECT_EQ(out.progress.checkpoints, in.progress.checkpoints);
  EXPECT_EQ(out.progress.epochs.at(0).train_loss, 1.0 / 3);
  EXPECT_EQ(out.progress.epochs.at(0).stats.label_entropy_bits, 2.0 / 7);
  EXPECT_EQ(out.running.traffic.disk_bytes, std::int64_t{1} << 40);
  EXPECT_TRUE(std::isnan(out.running.valid_accuracy));
  EXPECT_EQ(out.running_loss.loss, 12.25);
  EXPECT_EQ(out.next_batch, 2);
  EXPECT_EQ(out.trainer.step, 5);
  EXPECT_EQ(out.trainer.num_optimizer_steps, 4);
}

TEST(CheckpointFormat, KeepsTheBitsOfAnyMoment) {
  Checkpoint in = test::some_checkpoint();
  const float values[] = {-0.0F, std::numeric_limits<float>::denorm_min(),
                          std::numeric_limits<float>::infinity()};
  std::memcpy(in.trainer.optimizer[2].bytes.data(), values, sizeof values);
  EXPECT_EQ(decode(encode(in), "a.ckpt").trainer.optimizer, in.trainer.optimizer);
}

TEST(CheckpointFormat, FindsEveryFlippedByte) {
  const Bytes good = encode(test::some_checkpoint());
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const unsigned char mask : {0x01, 0x80}) {
      Bytes bad = good;
      bad[i] ^= std::byte{mask};
      EXPECT_THROW(decode(bad, "a.ckpt"), IoError) << "byte " << i;
    }
  }
}

TEST(CheckpointFormat, FindsEveryTruncationAndWhatWasAppended) {
  const Bytes good = encode(test::some_checkpoint());
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_THROW(decode(std::span(good).first(size), "a.ckpt"), IoError) << size << " bytes";
  }
  Bytes longer = good;
  longer.push_back(std::byte{0});
  EXPECT_THROW(decode(longer, "a.ckpt"), IoError);
}

TEST(CheckpointFormat, NamesTheVersionItCannotRead) {
  Bytes bytes = encode(test::some_checkpoint());
  bytes[8] = std::byte{9};
  EXPECT_EQ(problem_of(bytes), "a.ckpt: format version 1 is expected, got 9");
}

TEST(CheckpointFormat, AsksForNoMemoryThatTheFileDoesNotHave) {
  Bytes bytes = encode(test::some_checkpoint());
  const std::uint64_t huge = ~std::uint64_t{0} - 7;
  for (const std::size_t place : {16, 24}) {  // the sizes of header and values
    Bytes bad = bytes;
    std::memcpy(bad.data() + place, &huge, sizeof huge);
    EXPECT_THAT(problem_of(bad), HasSubstr("do not add up"));
  }
  EXPECT_THAT(problem_of(forged(R"("rows":2)", R"("rows":9)")), HasSubstr("more values than the file"));
  Checkpoint in = test::some_checkpoint();
  for (const std::int64_t side : {std::int64_t{1} << 30, std::int64_t{1} << 40, std::int64_t{-1}}) {
    in.trainer.parameters[0].rows = in.trainer.parameters[0].cols = side;
    EXPECT_THAT(problem_of(encode(in)), HasSubstr("a.ckpt: damaged: w has ")) << side;
  }
}

TEST(CheckpointFormat, RefusesFieldsThatDoNotFitEachOther) {
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {R"("best_epoch":0)", R"("best_epoch":1)"},
           {R"("next_batch":2)", R"("next_batch":-)"},
           {R"("step":5)", R"("step":3)"},
           {R"("in_channels":2)", R"("in_channels":0)"},
           {R"("num_optimizer_steps")", R"("num_optimizer_stepX")"},
           {R"("parameters":[{)", R"("parameters":{[)"},
           {R"("rows":1)", R"("rows":0)"},
           {R"("scalar":"f32")", R"("scalar":"f16")"},
           {R"("epoch":1)", R"("epoch":2)"},
           {R"("name":"w")", R"("name":{} )"}}) {
    EXPECT_THAT(problem_of(forged(from, to)), HasSubstr("a.ckpt: damaged")) << from;
  }
}

TEST(CheckpointFormat, RefusesParametersThatAreNotFinite) {
  Checkpoint in = test::some_checkpoint();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(in.best_parameters[1].bytes.data() + 4, &nan, sizeof nan);
  EXPECT_THAT(problem_of(encode(in)), HasSubstr("not finite"));
}

}  // namespace
}  // namespace kith
