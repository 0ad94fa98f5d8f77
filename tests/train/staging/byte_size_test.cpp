#include "train/staging/byte_size.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/errors.h"

namespace kith {
namespace {

TEST(ByteSize, ReadsSizesAsPeopleWriteThem) {
  EXPECT_EQ(parse_bytes("4096", 0, "--x"), 4096);
  EXPECT_EQ(parse_bytes("0", 0, "--x"), 0);
  EXPECT_EQ(parse_bytes("64KiB", 0, "--x"), 65536);
  EXPECT_EQ(parse_bytes("2GB", 0, "--x"), 2'000'000'000);
  EXPECT_EQ(parse_bytes("1.5MB", 0, "--x"), 1'500'000);
  EXPECT_EQ(parse_bytes("12.5%", 800, "--x"), 100);
  EXPECT_THAT(parse_byte_list("5%,1KB", 1000, "--x"), ::testing::ElementsAre(50, 1000));
}

TEST(ByteSize, RefusesWhatIsNoSize) {
  for (const char* text : {"", "GB", "-1", "-5%", "1 GB", "2gb", "1e300GB", "nan", "10%%", "5,"}) {
    EXPECT_THROW(parse_bytes(text, 100, "--x"), InvalidArgument) << text;
  }
  EXPECT_THROW(parse_byte_list("5%,", 100, "--x"), InvalidArgument);
}

TEST(ByteSize, ShowsThreeDigitsBeforeThePoint) {
  EXPECT_EQ(show_bytes(999), "999 B");
  EXPECT_EQ(show_bytes(25.6e6), "25.60 MB");
}

}  // namespace
}  // namespace kith
