#include "graph/posix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "graph/errors.h"

namespace kith {
namespace {

/// Linux moves at most 2^31 - 4096 bytes in one call.
constexpr std::size_t kMaxTransfer = std::size_t{1} << 30;

std::string reason_of(int error) { return std::generic_category().message(error); }

}  // namespace

void throw_file_error(const std::string& name, const std::string& action, int error) {
  // EFBIG is the limit of a process or file system on the size of one file: to the user, no room either.
  const bool is_full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  KITH_CHECK(!is_full, EnvironmentError, name, ": not enough disk space to ", action, ": ", reason_of(error));
  KITH_CHECK(error != ENOMEM, EnvironmentError, name, ": not enough memory to ", action);
  throw IoError(concat(name, ": cannot ", action, ": ", reason_of(error)));
}

PosixFile::PosixFile(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}

PosixFile PosixFile::open(const std::string& path) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer; it has no effect on regular files.
  PosixFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK), path);
  if (file.descriptor_ < 0) throw_file_error(path, "open", errno);
  struct stat status {};
  if (::fstat(file.descriptor_, &status) != 0) throw_file_error(path, "stat", errno);
  KITH_CHECK(S_ISREG(status.st_mode), IoError, path, ": not a regular file");
  return file;
}

PosixFile PosixFile::create(const std::string& path, const std::string& name) {
  // A new file instead of a truncated one: whoever has the old one open keeps what they see.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_file_error(name, "write", errno);
  PosixFile file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666), name);
  if (file.descriptor_ < 0) throw_file_error(name, "write", errno);
  return file;
}

PosixFile::PosixFile(PosixFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), name_(std::move(other.name_)) {}

PosixFile& PosixFile::operator=(PosixFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(name_, other.name_);
  return *this;
}

PosixFile::~PosixFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::uint64_t PosixFile::size() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) throw_file_error(name_, "stat", errno);
  return static_cast<std::uint64_t>(status.st_size);
}

void PosixFile::read(std::uint64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t count =
        ::pread(descriptor_, bytes.data(), std::min(bytes.size(), kMaxTransfer), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_file_error(name_, "read", errno);
    KITH_CHECK(count > 0, IoError, name_, ": the file is truncated");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void PosixFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count =
        ::pwrite(descriptor_, bytes.data(), std::min(bytes.size(), kMaxTransfer), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_file_error(name_, "write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void PosixFile::reserve(std::uint64_t offset, std::uint64_t num_bytes) {
  if (num_bytes == 0) return;
  int error = EINTR;
  while (error == EINTR) {
    error = ::posix_fallocate(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(num_bytes));
  }
  if (error == 0) return;
  // A file system that cannot reserve may still have a longer file; the writes will say whether there is room.
  if (error == EOPNOTSUPP || error == ENOSYS) {
    const std::uint64_t end = offset + num_bytes;
    if (size() >= end || ::ftruncate(descriptor_, static_cast<off_t>(end)) == 0) return;
    error = errno;
  }
  throw_file_error(name_, concat("write ", num_bytes, " bytes"), error);
}

void PosixFile::sync() {
  if (::fsync(descriptor_) != 0) throw_file_error(name_, "write", errno);
}

bool PosixFile::is_at(const std::string& path) const {
  struct stat mine {};
  struct stat other {};
  return ::fstat(descriptor_, &mine) == 0 && ::stat(path.c_str(), &other) == 0 && mine.st_dev == other.st_dev &&
         mine.st_ino == other.st_ino;
}

void sync_folder_of(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) throw_file_error(path, "open the folder", errno);
  const int error = ::fsync(folder) == 0 ? 0 : errno;
  ::close(folder);
  // Some file systems have nothing to sync in a folder and say EINVAL.
  if (error != 0 && error != EINVAL) throw_file_error(path, "sync the folder", error);
}

}  // namespace kith
