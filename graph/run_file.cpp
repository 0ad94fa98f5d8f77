#include "graph/run_file.h"

#include <unistd.h>

#include <cerrno>

#include "graph/errors.h"
#include "graph/posix_file.h"

namespace kith {

struct RunFile::Impl {
  PosixFile file;
  std::uint64_t num_bytes = 0;
};

RunFile::RunFile(const std::string& folder) {
  const std::string path = concat(folder, "/runs.tmp");
  impl_ = std::make_unique<Impl>(Impl{PosixFile::create(path, folder)});
  if (::unlink(path.c_str()) != 0) throw_file_error(folder, "write", errno);
}

RunFile::~RunFile() = default;
RunFile::RunFile(RunFile&&) noexcept = default;
RunFile& RunFile::operator=(RunFile&&) noexcept = default;

std::uint64_t RunFile::num_bytes() const { return impl_->num_bytes; }

void RunFile::append(std::span<const std::byte> bytes) {
  impl_->file.write(impl_->num_bytes, bytes);
  impl_->num_bytes += bytes.size();
}

void RunFile::read(std::uint64_t offset, std::span<std::byte> bytes) const { impl_->file.read(offset, bytes); }

}  // namespace kith
