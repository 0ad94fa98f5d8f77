#include "sampler/sampler_options.h"

#include <gtest/gtest.h>

#include "graph/errors.h"
#include "sampler/plan.h"

namespace kith {
namespace {

TEST(SamplerOptions, EveryNameNamesWhatItParsesTo) {
  for (const char* name : {"neighbor", "labor", "cluster", "full"}) {
    EXPECT_EQ(name_of(parse_sampler_kind(name)), name);
  }
  for (const char* name : {"communities", "balanced", "nested", "leaky"}) {
    EXPECT_EQ(name_of(parse_mixing(name)), name);
  }
  for (const char* name : {"keep", "drop"}) EXPECT_EQ(name_of(parse_no_intra(name)), name);
}

TEST(SamplerOptions, RefusesOtherNames) {
  for (const char* name : {"", "Neighbor", "labor0", "keep "}) {
    EXPECT_THROW(parse_sampler_kind(name), InvalidArgument) << name;
    EXPECT_THROW(parse_mixing(name), InvalidArgument) << name;
    EXPECT_THROW(parse_no_intra(name), InvalidArgument) << name;
  }
}

}  // namespace
}  // namespace kith
