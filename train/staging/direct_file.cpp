#include "train/staging/direct_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <system_error>

#include "graph/errors.h"

namespace kith {

void FreeAligned::operator()(std::byte* data) const { std::free(data); }

AlignedBuffer make_aligned(std::size_t size) {
  void* const data = std::aligned_alloc(kSectorBytes, (size + kSectorBytes - 1) / kSectorBytes * kSectorBytes);
  if (data == nullptr) throw std::bad_alloc();
  return AlignedBuffer(static_cast<std::byte*>(data));
}

DirectFile::DirectFile(const std::string& path, bool is_direct) : path_(path) {
  if (is_direct) descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  if (descriptor_ < 0) descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  KITH_CHECK(descriptor_ >= 0, IoError, path, ": cannot open: ", std::generic_category().message(errno));
}

DirectFile::~DirectFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::vector<SectorRead> DirectFile::cut(std::span<const FileRead> reads) {
  std::vector<SectorRead> pieces;
  pieces.reserve(reads.size());
  for (const FileRead& read : reads) {
    std::uint64_t offset = read.offset;
    std::span<std::byte> rest = read.into;
    while (!rest.empty()) {
      const std::size_t lead = offset % kSectorBytes;
      const std::size_t count = std::min(rest.size(), kBufferBytes - kSectorBytes - lead);
      const std::size_t size = (lead + count + kSectorBytes - 1) / kSectorBytes * kSectorBytes;
      pieces.push_back({.offset = offset - lead, .size = size, .lead = lead, .into = rest.first(count)});
      offset += count;
      rest = rest.subspan(count);
    }
  }
  return pieces;
}

void DirectFile::check(const SectorRead& read, std::int64_t result) const {
  KITH_CHECK(result >= 0, IoError, path_,
             ": cannot read: ", std::generic_category().message(static_cast<int>(-result)));
  KITH_CHECK(static_cast<std::size_t>(result) >= read.min_bytes(), IoError, path_, ": the file is truncated");
}

}  // namespace kith
