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

/// A piece of a read that fits into one buffer, widened to whole sectors.
struct SectorRead {
  std::uint64_t offset = 0;                                     ///< in the file, a multiple of kSectorBytes
  std::size_t size = 0;                                         ///< a multiple of kSectorBytes
  std::size_t lead = 0;                                         ///< bytes in front of those wanted
  std::span<std::byte> into;                                    ///< what is wanted
  std::size_t min_bytes() const { return lead + into.size(); }  ///< the file may end after these
};

/// Memory in whole sectors.
struct FreeAligned {
  void operator()(std::byte* data) const;
};
using AlignedBuffer = std::unique_ptr<std::byte, FreeAligned>;
AlignedBuffer make_aligned(std::size_t size);

/// Owns a descriptor.
class DirectFile {
 public:
  /// Bytes of one buffer: a page of the default size and the sectors that it begins and ends in.
  static constexpr std::size_t kBufferBytes = (64 << 10) + 2 * kSectorBytes;

  /// Falls back to reads through the page cache where the file system has no O_DIRECT. Throws IoError.
  DirectFile(const std::string& path, bool is_direct);
  ~DirectFile();
  DirectFile(const DirectFile&) = delete;
  DirectFile& operator=(const DirectFile&) = delete;

  int descriptor() const { return descriptor_; }
  const std::string& path() const { return path_; }

  /// Cuts reads into pieces.
  static std::vector<SectorRead> cut(std::span<const FileRead> reads);

  /// Throws IoError for the result of a read: minus an errno, or a number of bytes.
  void check(const SectorRead& read, std::int64_t result) const;

 private:
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace kith
