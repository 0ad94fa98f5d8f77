#include "graph/whole_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>

#include "graph/posix_file.h"

namespace kith {

std::vector<std::byte> read_file(const std::string& path) {
  const PosixFile file = PosixFile::open(path);
  std::vector<std::byte> bytes(file.size());
  file.read(0, bytes);
  return bytes;
}

void replace_file(const std::string& path, std::span<const std::span<const std::byte>> parts) {
  const std::string temporary = path + ".tmp";
  PosixFile file = PosixFile::create(temporary, path);
  try {
    std::uint64_t offset = 0;
    for (const std::span<const std::byte> part : parts) {
      file.write(offset, part);
      offset += part.size();
    }
    file.sync();
    if (std::rename(temporary.c_str(), path.c_str()) != 0) throw_file_error(path, "write", errno);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder_of(path);
}

}  // namespace kith
