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

/// A read that is done. Its bytes stay until it is given back.
struct FinishedRead {
  std::uint64_t tag = 0;             ///< as it was started with
  std::span<const std::byte> bytes;  ///< those that were wanted, in a buffer of the reader's
  std::size_t buffer = 0;
};

/// How a file is read.
struct FileReaderOptions {
  std::int32_t queue_depth = 64;          ///< reads under way at once, 1..4096
  std::size_t max_read_bytes = 64 << 10;  ///< of one of them, > 0; each has a buffer of this size
  bool is_direct = true;                  ///< O_DIRECT, where the file system has it
};

/// Owns the file and a buffer for every read under way. One thread at a time.
class FileReader {
 public:
  virtual ~FileReader() = default;
  virtual std::string_view name() const = 0;  ///< "io_uring" or "pread"
  virtual std::size_t max_read_bytes() const = 0;

  /// Whether there is a buffer for one more read.
  virtual bool can_start() const = 0;
  /// Starts a read of [offset, offset + size), 0 < size <= max_read_bytes(). Needs can_start().
  virtual void start(std::uint64_t offset, std::size_t size, std::uint64_t tag) = 0;
  virtual std::size_t num_under_way() const = 0;  ///< started and not yet returned by wait()
  /// Waits for one of those under way, whichever is done first. Throws IoError, naming the file; that read is
  /// then no longer under way.
  virtual FinishedRead wait() = 0;
  /// Its buffer may take another read.
  virtual void give_back(const FinishedRead& read) = 0;

  /// Returns when all reads are done, of any sizes, in whatever order. Nothing else may be under way. Throws
  /// IoError.
  void read(std::span<const FileRead> reads);
};

/// io_uring, or pread on threads where the kernel or the build has none. Throws IoError for a file that cannot
/// be opened, InvalidArgument for options out of range.
std::unique_ptr<FileReader> open_file_reader(const std::string& path, const FileReaderOptions& options = {});

/// Threads that call pread, one a read under way, at most 16.
std::unique_ptr<FileReader> make_pread_reader(const std::string& path, const FileReaderOptions& options);

/// Null where io_uring cannot be used: not in the build, or refused by the kernel.
std::unique_ptr<FileReader> make_uring_reader(const std::string& path, const FileReaderOptions& options);

}  // namespace kith
