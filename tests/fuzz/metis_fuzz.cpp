// Inputs are whole files; those that start as gzip does are read as such.
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path = (kith::fuzz::folder() / "input").string();
  kith::test::write_bytes(path, kith::fuzz::text_of(data, size));
  kith::fuzz::expect_value_or_one_line([&] { kith::fuzz::read_source(path, kith::SourceFormat::metis); });
  return 0;
}
