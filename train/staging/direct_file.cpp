#include "train/staging/direct_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <system_error>

#include "graph/errors.h"

namespace kith {

std::uint64_t bytes_in_sectors(std::uint64_t offset, std::uint64_t size) {
  const std::uint64_t lead = offset % kSectorBytes;
  return (lead + size + kSectorBytes - 1) / kSectorBytes * kSectorBytes;
}

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

ReadBuffers::ReadBuffers(std::int32_t count, std::size_t max_read_bytes)
    : max_read_bytes_(max_read_bytes), reads_(static_cast<std::size_t>(count)) {
  for (std::size_t i = 0; i < reads_.size(); ++i) {
    buffers_.push_back(make_aligned(max_read_bytes + 2 * kSectorBytes));
    free_.push_back(i);
  }
}

std::size_t ReadBuffers::take(std::uint64_t offset, std::size_t size, std::uint64_t tag) {
  assert(has_free() && size > 0 && size <= max_read_bytes_);
  const std::size_t buffer = free_.back();
  free_.pop_back();
  const std::size_t lead = offset % kSectorBytes;
  reads_[buffer] = {.offset = offset - lead,
                    .size = static_cast<std::size_t>(bytes_in_sectors(offset, size)),
                    .into = buffers_[buffer].get(),
                    .lead = lead,
                    .wanted = size,
                    .tag = tag};
  return buffer;
}

FinishedRead ReadBuffers::finish(std::size_t buffer, std::int64_t result, const DirectFile& file) {
  const SectorRead& read = reads_[buffer];
  if (result < static_cast<std::int64_t>(read.lead + read.wanted)) {
    give_back(buffer);
    KITH_CHECK(result >= 0, IoError, file.path(),
               ": cannot read: ", std::generic_category().message(static_cast<int>(-result)));
    throw IoError(concat(file.path(), ": the file is truncated"));
  }
  return {.tag = read.tag, .bytes = {read.into + read.lead, read.wanted}, .buffer = buffer};
}

}  // namespace kith
