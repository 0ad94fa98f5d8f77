#include "partition/partition_cache.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>

#include "graph/errors.h"

namespace kith {
namespace {

constexpr std::uint64_t kMagic = 0x3154524148544B31U;  ///< changes whenever the finders or the file change
constexpr std::size_t kKeyBytes = 32;

/// What stands before the community numbers.
struct Header {
  std::uint64_t magic;
  std::array<char, kKeyBytes> key;
  std::int64_t num_nodes;
  std::uint64_t checksum;  ///< XXH3 of the numbers
};

std::string path_of(const std::string& dir, const std::string& key) {
  return (std::filesystem::path(dir) / (key + ".parts")).string();
}

std::uint64_t checksum_of(const std::vector<std::int32_t>& values) {
  return XXH3_64bits(values.data(), values.size() * sizeof(std::int32_t));
}

Header header_for(const std::string& key, const std::vector<std::int32_t>& community_of) {
  Header header{kMagic, {}, static_cast<std::int64_t>(community_of.size()), checksum_of(community_of)};
  std::copy_n(key.begin(), std::min(key.size(), kKeyBytes), header.key.begin());
  return header;
}

void write_all(int file, const void* data, std::size_t size, const std::string& path) {
  const char* next = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::write(file, next, size);
    KITH_CHECK(written > 0, IoError, "store_partition: cannot write ", path, ": ", std::strerror(errno));
    next += written;
    size -= static_cast<std::size_t>(written);
  }
}

/// A temporary file that is closed and removed unless it was renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    KITH_CHECK(file_ >= 0, IoError, "store_partition: cannot create ", path_, ": ", std::strerror(errno));
  }
  ~TemporaryFile() {
    ::close(file_);
    if (!is_renamed_) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(const void* data, std::size_t size) { write_all(file_, data, size, path_); }
  void rename_to(const std::string& path) {
    KITH_CHECK(::fsync(file_) == 0, IoError, "store_partition: cannot sync ", path_, ": ",
               std::strerror(errno));
    KITH_CHECK(::rename(path_.c_str(), path.c_str()) == 0, IoError, "store_partition: cannot rename to ", path,
               ": ", std::strerror(errno));
    is_renamed_ = true;
  }

 private:
  std::string path_;
  int file_ = -1;
  bool is_renamed_ = false;
};

}  // namespace

std::string partition_key(const RowBlocks& graph, const PartitionOptions& options) {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), &XXH3_freeState);
  KITH_CHECK(state != nullptr && XXH3_128bits_reset(state.get()) == XXH_OK, EnvironmentError,
             "partition_key: out of memory");
  const auto add = [&](const void* data, std::size_t size) { XXH3_128bits_update(state.get(), data, size); };
  add(&kMagic, sizeof kMagic);
  add(&options.method, sizeof options.method);
  add(&options.num_communities, sizeof options.num_communities);
  add(&options.community_size, sizeof options.community_size);
  add(&options.imbalance, sizeof options.imbalance);
  add(&options.seed, sizeof options.seed);
  add(graph.offsets().data(), graph.offsets().size_bytes());
  graph.for_each([&](const RowBlock& block) { add(block.neighbors.data(), block.neighbors.size_bytes()); });
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  std::array<char, kKeyBytes + 1> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text.data();
}

std::optional<std::vector<std::int32_t>> load_partition(const std::string& dir, const std::string& key,
                                                        NodeId num_nodes) {
  std::ifstream in(path_of(dir, key), std::ios::binary);
  Header header{};
  if (!in.read(reinterpret_cast<char*>(&header), sizeof header)) return std::nullopt;
  if (header.magic != kMagic || header.num_nodes != num_nodes) return std::nullopt;
  std::vector<std::int32_t> community_of(static_cast<std::size_t>(num_nodes));
  const auto num_bytes = static_cast<std::streamsize>(community_of.size() * sizeof(std::int32_t));
  if (!in.read(reinterpret_cast<char*>(community_of.data()), num_bytes)) return std::nullopt;
  const Header expected = header_for(key, community_of);
  if (header.key != expected.key || header.checksum != expected.checksum) return std::nullopt;
  if (in.peek() != std::ifstream::traits_type::eof()) return std::nullopt;
  const bool is_in_range =
      std::ranges::all_of(community_of, [&](std::int32_t c) { return c >= 0 && c < num_nodes; });
  if (!is_in_range) return std::nullopt;
  return community_of;
}

void store_partition(const std::string& dir, const std::string& key,
                     const std::vector<std::int32_t>& community_of) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  KITH_CHECK(!error, IoError, "store_partition: cannot create folder ", dir, ": ", error.message());
  const std::string path = path_of(dir, key);
  TemporaryFile file(concat(path, ".", ::getpid(), ".tmp"));
  const Header header = header_for(key, community_of);
  file.write(&header, sizeof header);
  file.write(community_of.data(), community_of.size() * sizeof(std::int32_t));
  file.rename_to(path);
}

}  // namespace kith
