// Files that are written once and read from front to back, through bounded buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace kith {

/// What a file that was written whole holds.
struct FileSeal {
  std::uint64_t num_bytes = 0;
  std::string checksum;  ///< XXH3-64 of the bytes, as 16 hex digits

  bool operator==(const FileSeal&) const = default;
};

/// XXH3-64 of some bytes, as 16 hex digits.
std::string checksum_of(std::span<const std::byte> bytes);

/// The seal of a file as it is now, read through a buffer of some megabytes. Throws IoError.
FileSeal seal_of(const std::string& path);

/// Calls visit for every piece of at most `chunk_bytes` of the file, in order. Throws IoError.
void for_each_chunk(const std::string& path, std::size_t chunk_bytes,
                    const std::function<void(std::span<const std::byte>)>& visit);

/// Fills `bytes` from the start of the file. Throws IoError if it ends before.
void read_into(const std::string& path, std::span<std::byte> bytes);

/// All values of a sealed file.
template <typename T>
std::vector<T> read_values(const std::string& path, const FileSeal& seal) {
  std::vector<T> values(static_cast<std::size_t>(seal.num_bytes / sizeof(T)));
  read_into(path, std::as_writable_bytes(std::span(values)));
  return values;
}

/// Reads values from front to back. Every method throws IoError.
class FileCursor {
 public:
  FileCursor(const std::string& path, std::size_t buffer_bytes);
  ~FileCursor();
  FileCursor(FileCursor&&) noexcept;
  FileCursor& operator=(FileCursor&&) = delete;

  template <typename T>
  T next() {
    T value;
    read(std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }

 private:
  void read(std::span<std::byte> out);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Writes `path`, replacing a file of that name. Every method throws IoError, or EnvironmentError if the disk
/// is full. A file that is not sealed stays as far as it was written: whoever owns the folder clears it away.
class AppendFile {
 public:
  explicit AppendFile(const std::string& path, std::size_t buffer_bytes = std::size_t{1} << 20);
  ~AppendFile();
  AppendFile(AppendFile&&) noexcept;
  AppendFile& operator=(AppendFile&&) = delete;

  void add(std::span<const std::byte> bytes);

  template <typename T>
  void add_values(std::span<const T> values) {
    add(std::as_bytes(values));
  }

  /// Writes what is left. Nothing may be added afterwards.
  FileSeal finish();

  /// The same, and returns once everything is on the disk.
  FileSeal seal();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Makes a file of these values.
template <typename T>
FileSeal write_values(const std::string& path, std::span<const T> values) {
  AppendFile file(path, 0);
  file.add(std::as_bytes(values));
  return file.seal();
}

}  // namespace kith
