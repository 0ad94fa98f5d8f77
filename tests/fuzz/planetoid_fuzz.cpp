// An input stands for the files of a folder; see split_parts.
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::string> names{"ind.a.x",  "ind.a.tx",   "ind.a.allx",  "ind.a.y",
                                              "ind.a.ty", "ind.a.ally", "ind.a.graph", "ind.a.test.index"};
  const std::filesystem::path folder = kith::fuzz::folder() / "planetoid";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  for (const auto& [name, bytes] : kith::fuzz::split_parts(kith::fuzz::text_of(data, size), names)) {
    kith::test::write_bytes((folder / name).string(), bytes);
  }
  kith::fuzz::expect_value_or_one_line(
      [&] { kith::fuzz::read_source(folder.string(), kith::SourceFormat::planetoid); });
  return 0;
}
