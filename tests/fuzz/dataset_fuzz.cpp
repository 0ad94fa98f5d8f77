// Inputs are whole dataset files. What is read has to pass check_dataset, as a source to prepare too.
#include "graph/dataset_file.h"
#include "tests/fuzz/target.h"

// HDF5 1.10 loses memory when a checksum of its metadata fails; leaks of our own are still found.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path = (kith::fuzz::folder() / "input.kith.h5").string();
  kith::test::write_bytes(path, kith::fuzz::text_of(data, size));
  kith::fuzz::expect_value_or_one_line([&] {
    const kith::Dataset dataset = kith::read_dataset(path, {.check_features = true});
    kith::check_dataset(dataset, path.c_str());
    kith::check_csr(dataset.graph.view(), path.c_str());
  });
  kith::fuzz::expect_value_or_one_line(
      [&] { kith::read_dataset(path, {.map_features = false, .verify_checksums = true}); });
  kith::fuzz::expect_value_or_one_line([&] { kith::fuzz::read_source(path, kith::SourceFormat::kith); });
  return 0;
}
