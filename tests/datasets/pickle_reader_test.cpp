#include "datasets/pickle_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "datasets/pickle_arrays.h"
#include "tests/datasets/pickle_text.h"

namespace kith::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = Pickle::Kind;

class PickleReader : public ::testing::Test {
 protected:
  Pickle read(const std::string& bytes) {
    write_bytes(path_, bytes);
    return Pickle(path_);
  }
  std::string error(const std::string& bytes) {
    return error_of<IoError>([&] { read(bytes); });
  }
  std::vector<std::int64_t> integers(const std::string& bytes) {
    const Pickle pickle = read(bytes);
    std::vector<std::int64_t> values;
    for (const Pickle::Ref ref : pickle.root().items) values.push_back(pickle[ref].integer);
    return values;
  }

  TempFolder folder_;
  std::string path_ = folder_.file("a.pickle");
};

TEST_F(PickleReader, ReadsIntegersOfBothProtocols) {
  using namespace std::string_literals;
  EXPECT_THAT(integers("(lp0\nI1\naL-7L\naI01\na."), ElementsAre(1, -7, 1));
  EXPECT_THAT(integers("\x80\x02](K\xffM\x01\x02J\xfe\xff\xff\xff\x8a\x02\x00\x80\x88\x65."s),
              ElementsAre(255, 513, -2, -32768, 1));
}

TEST_F(PickleReader, RemembersValuesInItsMemo) {
  EXPECT_THAT(integers("(I5\np3\ng3\ng3\nt."), ElementsAre(5, 5, 5));
  EXPECT_THAT(integers("\x80\x02(K\x05q\x07h\x07t."), ElementsAre(5, 5));
}

TEST_F(PickleReader, ReadsEscapedText) { EXPECT_EQ(read("S'a\\n\\x41\\\\'\n.").root().text, "a\nA\\"); }

TEST_F(PickleReader, ExecutesNothingAndNamesTheGlobalItRefuses) {
  EXPECT_THAT(error("cos\nsystem\n(S'true'\ntR."), HasSubstr("global 'os system' is not one"));
  EXPECT_THAT(error("c__builtin__\neval\n(S'1'\ntR."), HasSubstr("'__builtin__ eval'"));
  EXPECT_THAT(error("c__builtin__\nobject\n(tR."), HasSubstr("not callable"));
  EXPECT_THAT(error("(S'true'\nios\nsystem\n."), HasSubstr("opcode"));
}

TEST_F(PickleReader, RefusesDamage) {
  using namespace std::string_literals;
  EXPECT_THAT(error(""), HasSubstr("ends too early"));
  EXPECT_THAT(error("I1\n"), HasSubstr("ends too early"));
  EXPECT_THAT(error("."), HasSubstr("nothing is left on the stack"));
  EXPECT_THAT(error("t."), HasSubstr("no mark"));
  EXPECT_THAT(error("I1\n(a."), HasSubstr("nothing is left on the stack"));
  EXPECT_THAT(error("g5\n."), HasSubstr("before it is set"));
  EXPECT_THAT(error("(I1\nd."), HasSubstr("a key without a value"));
  EXPECT_THAT(error("I1\nI2\na."), HasSubstr("holds none"));
  EXPECT_THAT(error("I1\nI2\nb."), HasSubstr("a state is set on something"));
  EXPECT_THAT(error("T\xff\xff\xff\x7f"
                    "abc"),
              HasSubstr("ends too early"));
  EXPECT_THAT(error("\x80\x05."), HasSubstr("protocol"));
  EXPECT_THAT(error("\x8a\x09"s + std::string(9, '\1') + "."), HasSubstr("at most 64 bits"));
  EXPECT_THAT(error("I12x\n."), HasSubstr("expected an integer"));
}

TEST_F(PickleReader, ChecksTheSizesOfArrays) {
  const auto array_error = [&](const std::string& bytes) {
    return error_of<IoError>([&] {
      const Pickle pickle = read(bytes + ".");
      as_array(pickle, pickle.root());
    });
  };
  const std::string values(8, '\0');
  const Pickle pickle = read(pickled_array("i2", {2, 2}, raw(std::vector<std::int16_t>{1, -2, 3, 4})) + ".");
  EXPECT_EQ(as_array(pickle, pickle.root()).integer(1), -2);
  EXPECT_THAT(array_error(pickled_array("i4", {3}, values)), HasSubstr("does not fit its 8 bytes"));
  EXPECT_THAT(array_error(pickled_array("i4", {1}, values)), HasSubstr("says 4 bytes"));
  EXPECT_THAT(array_error(pickled_array("i4", {INT64_MAX, INT64_MAX}, values)), HasSubstr("does not fit"));
  EXPECT_THAT(array_error(pickled_array("i4", {-2}, values)), HasSubstr("does not fit"));
  EXPECT_THAT(array_error(pickled_array("O8", {1}, values)), HasSubstr("plain numbers, got type 'O8'"));
  EXPECT_THAT(array_error(pickled_array("i4", {2}, values, ">")), HasSubstr("byte order '>'"));
  EXPECT_THAT(array_error("I1\n"), HasSubstr("expected an array"));
}

}  // namespace
}  // namespace kith::test
