// An input stands for the files of a folder; see split_parts.
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::string> names{
      "raw/edge.csv",       "raw/num-node-list.csv", "raw/num-edge-list.csv", "raw/node-feat.csv",
      "raw/node-label.csv", "split/time/train.csv",  "split/time/valid.csv",  "split/time/test.csv",
      "raw/edge.csv.gz",    "raw/node-feat.csv.gz"};
  const std::filesystem::path folder = kith::fuzz::folder() / "ogb";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder / "raw");
  std::filesystem::create_directories(folder / "split" / "time");
  for (const auto& [name, bytes] : kith::fuzz::split_parts(kith::fuzz::text_of(data, size), names)) {
    kith::test::write_bytes((folder / name).string(), bytes);
  }
  kith::fuzz::expect_value_or_one_line(
      [&] { kith::fuzz::read_source(folder.string(), kith::SourceFormat::ogb); });
  return 0;
}
