// Private to staging: a file opened for reads in whole sectors, and the buffers that such reads need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "train/staging/file_reader.h"

namespace kith {

/// Sectors of every disk that is likely; O_DIRECT wants offsets, sizes and addresses in multiples of them.
inline constexpr std::uint64_t kSectorBytes = 4096;

/// Bytes that reading [offset, offset + size) moves: whole sectors.
std::uint64_t bytes_in_sectors(std::uint64_t offset, std::uint64_t size);

/// Memory in whole sectors.
struct FreeAligned {
  void operator()(std::byte* data) const;
};
using AlignedBuffer = std::unique_ptr<std::byte, FreeAligned>;
AlignedBuffer make_aligned(std::size_t size);

/// Owns a descriptor.
class DirectFile {
 public:
  /// Falls back to reads through the page cache where the file system has no O_DIRECT. Throws IoError.
  DirectFile(const std::string& path, bool is_direct);
  ~DirectFile();
  DirectFile(const DirectFile&) = delete;
  DirectFile& operator=(const DirectFile&) = delete;

  int descriptor() const { return descriptor_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int descriptor_ = -1;
};

/// A read, widened to whole sectors, and the buffer that it goes to.
struct SectorRead {
  std::uint64_t offset = 0;  ///< in the file, a multiple of kSectorBytes
  std::size_t size = 0;      ///< a multiple of kSectorBytes
  std::byte* into = nullptr;
  std::size_t lead = 0;    ///< bytes in front of those wanted
  std::size_t wanted = 0;  ///< the file may end after these
  std::uint64_t tag = 0;
};

/// The buffers of a reader, by number, and what is read into each.
class ReadBuffers {
 public:
  ReadBuffers(std::int32_t count, std::size_t max_read_bytes);

  std::size_t max_read_bytes() const { return max_read_bytes_; }
  bool has_free() const { return !free_.empty(); }
  /// Returns the number of the buffer that a read goes to.
  std::size_t take(std::uint64_t offset, std::size_t size, std::uint64_t tag);
  const SectorRead& operator[](std::size_t buffer) const { return reads_[buffer]; }
  /// result: minus an errno, or the number of bytes that came. Throws IoError, and takes the buffer back.
  FinishedRead finish(std::size_t buffer, std::int64_t result, const DirectFile& file);
  void give_back(std::size_t buffer) { free_.push_back(buffer); }

 private:
  std::size_t max_read_bytes_;
  std::vector<AlignedBuffer> buffers_;
  std::vector<SectorRead> reads_;  ///< [buffers]
  std::vector<std::size_t> free_;
};

}  // namespace kith
