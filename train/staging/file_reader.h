// Many reads of one file at once, past the page cache where the file system allows it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace kith {

/// Bytes of the file that are wanted, and where.
struct FileRead {
  std::uint64_t offset = 0;
  std::span<std::byte> into;
};

/// Owns the file. One thread at a time.
class FileReader {
 public:
  virtual ~FileReader() = default;
  virtual std::string_view name() const = 0;  ///< "io_uring" or "pread"

  /// Returns when all reads are done, in whatever order. Throws IoError, naming the file.
  virtual void read(std::span<const FileRead> reads) = 0;
};

/// How a file is read.
struct FileReaderOptions {
  std::int32_t queue_depth = 64;  ///< reads under way at once, 1..4096
  bool is_direct = true;          ///< O_DIRECT, where the file system has it
};

/// io_uring, or pread on threads where the kernel or the build has none. Throws IoError for a file that cannot
/// be opened, InvalidArgument for a queue depth out of range.
std::unique_ptr<FileReader> open_file_reader(const std::string& path, const FileReaderOptions& options = {});

/// Threads that call pread, one a read under way, at most 16.
std::unique_ptr<FileReader> make_pread_reader(const std::string& path, const FileReaderOptions& options);

/// Null where io_uring cannot be used: not in the build, or refused by the kernel.
std::unique_ptr<FileReader> make_uring_reader(const std::string& path, const FileReaderOptions& options);

}  // namespace kith
