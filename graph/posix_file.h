// Private to graph/: a file descriptor whose every call is checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace kith {

/// Owns a descriptor. Errors are prefixed with `name`, the path that the user gave. Reads and writes at
/// distinct places may run concurrently.
class PosixFile {
 public:
  /// Opens for reading. Throws IoError if the file is missing, not readable or not a regular file.
  static PosixFile open(const std::string& path);

  /// Creates `path`, replacing a file of that name; errors say `name`. Throws IoError or EnvironmentError.
  static PosixFile create(const std::string& path, const std::string& name);

  PosixFile(PosixFile&& other) noexcept;
  PosixFile& operator=(PosixFile&& other) noexcept;
  ~PosixFile();

  int descriptor() const { return descriptor_; }
  std::uint64_t size() const;

  /// Fills `bytes` from `offset`. Throws IoError if the file ends before.
  void read(std::uint64_t offset, std::span<std::byte> bytes) const;

  /// Throws EnvironmentError if the disk is full, else IoError.
  void write(std::uint64_t offset, std::span<const std::byte> bytes);

  /// Makes sure that [offset, offset + num_bytes) can be written. Throws as write does.
  void reserve(std::uint64_t offset, std::uint64_t num_bytes);

  /// Returns once the content is on the disk.
  void sync();

  /// True while `path` still names this very file.
  bool is_at(const std::string& path) const;

 private:
  PosixFile(int descriptor, std::string name);

  int descriptor_ = -1;
  std::string name_;
};

/// Throws EnvironmentError if `error` (an errno) says that the disk, a quota or the memory is full, else
/// IoError: "name: cannot <action>: reason".
[[noreturn]] void throw_file_error(const std::string& name, const std::string& action, int error);

/// Makes a rename in the folder of `path` durable. Throws IoError, naming `path`.
void sync_folder_of(const std::string& path);

}  // namespace kith
