// An input is a whole archive, or arrays (see split_parts) that are put into one: that way a mutation of an
// array does not end at the checksum of its entry.
#include <zip.h>

#include "tests/fuzz/target.h"

namespace {

void write_archive(const std::string& path, const std::vector<std::pair<std::string, std::string>>& arrays) {
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (archive == nullptr) kith::fuzz::report("cannot write " + path);
  for (const auto& [name, bytes] : arrays) {
    zip_source_t* source = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
    const zip_int64_t index = zip_file_add(archive, name.c_str(), source, ZIP_FL_OVERWRITE);
    if (index < 0) zip_source_free(source);
    if (index >= 0) zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);
  }
  if (zip_close(archive) != 0) zip_discard(archive);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::string> names{
      "edge_index.npy", "edges.npy",      "x.npy",         "node_features.npy", "y.npy",
      "x_indptr.npy",   "x_indices.npy",  "x_data.npy",    "x_shape.npy",       "node_labels.npy",
      "y_indptr.npy",   "y_indices.npy",  "y_data.npy",    "y_shape.npy",       "train_mask.npy",
      "val_mask.npy",   "test_masks.npy", "num_nodes.npy", "directed.npy",      "meta.npy"};
  const std::string path = (kith::fuzz::folder() / "input.npz").string();
  const std::string_view input = kith::fuzz::text_of(data, size);
  std::filesystem::remove(path);
  if (input.starts_with("=== ")) {
    write_archive(path, kith::fuzz::split_parts(input, names));
  } else {
    kith::test::write_bytes(path, input);
  }
  kith::fuzz::expect_value_or_one_line([&] { kith::fuzz::read_source(path, kith::SourceFormat::npz); });
  return 0;
}
