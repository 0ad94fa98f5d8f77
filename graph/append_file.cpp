#include "graph/append_file.h"

#include <algorithm>
#include <vector>

#include "graph/dataset_format.h"
#include "graph/posix_file.h"

namespace kith {
namespace {

constexpr std::size_t kSealChunk = std::size_t{4} << 20;

}  // namespace

std::string checksum_of(std::span<const std::byte> bytes) { return format::checksum(bytes); }

void for_each_chunk(const std::string& path, std::size_t chunk_bytes,
                    const std::function<void(std::span<const std::byte>)>& visit) {
  const PosixFile file = PosixFile::open(path);
  const std::uint64_t end = file.size();
  std::vector<std::byte> chunk(static_cast<std::size_t>(std::min<std::uint64_t>(chunk_bytes, end)));
  for (std::uint64_t done = 0; done < end; done += chunk.size()) {
    chunk.resize(static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size(), end - done)));
    file.read(done, chunk);
    visit(chunk);
  }
}

void read_into(const std::string& path, std::span<std::byte> bytes) { PosixFile::open(path).read(0, bytes); }

FileSeal seal_of(const std::string& path) {
  FileSeal seal;
  format::Checksum checksum;
  for_each_chunk(path, kSealChunk, [&](std::span<const std::byte> chunk) {
    checksum.add(chunk);
    seal.num_bytes += chunk.size();
  });
  seal.checksum = checksum.text();
  return seal;
}

struct FileCursor::Impl {
  PosixFile file;
  std::vector<std::byte> buffer;
  std::uint64_t next_offset = 0;   ///< in the file, behind the buffer
  std::size_t begin = 0, end = 0;  ///< not yet read, in the buffer

  void refill() {
    const std::uint64_t left = file.size() - std::min(file.size(), next_offset);
    begin = 0;
    end = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), left));
    // At the end of the file this reads a byte that is not there, which is the error to report.
    file.read(next_offset, std::span(buffer).first(std::max<std::size_t>(end, 1)));
    next_offset += end;
  }
};

FileCursor::FileCursor(const std::string& path, std::size_t buffer_bytes)
    : impl_(std::make_unique<Impl>(
          Impl{PosixFile::open(path), std::vector<std::byte>(std::max<std::size_t>(1, buffer_bytes))})) {}

FileCursor::~FileCursor() = default;
FileCursor::FileCursor(FileCursor&&) noexcept = default;

void FileCursor::read(std::span<std::byte> out) {
  Impl& impl = *impl_;
  while (!out.empty()) {
    if (impl.begin == impl.end) impl.refill();
    const std::size_t count = std::min(out.size(), impl.end - impl.begin);
    std::copy_n(impl.buffer.begin() + static_cast<std::ptrdiff_t>(impl.begin), count, out.begin());
    impl.begin += count;
    out = out.subspan(count);
  }
}

struct AppendFile::Impl {
  Impl(const std::string& path, std::size_t buffer_bytes)
      : file(PosixFile::create(path, path)), capacity(std::max<std::size_t>(1, buffer_bytes)) {
    buffer.reserve(capacity);
  }

  void flush() {
    write(buffer);
    buffer = {};
  }

  void write(std::span<const std::byte> bytes) {
    file.write(seal.num_bytes, bytes);
    checksum.add(bytes);
    seal.num_bytes += bytes.size();
  }

  PosixFile file;
  std::size_t capacity;
  std::vector<std::byte> buffer;
  format::Checksum checksum;
  FileSeal seal;
};

AppendFile::AppendFile(const std::string& path, std::size_t buffer_bytes)
    : impl_(std::make_unique<Impl>(path, buffer_bytes)) {}

AppendFile::~AppendFile() = default;
AppendFile::AppendFile(AppendFile&&) noexcept = default;

void AppendFile::add(std::span<const std::byte> bytes) {
  Impl& impl = *impl_;
  if (impl.buffer.size() + bytes.size() > impl.capacity) {
    impl.write(impl.buffer);
    impl.buffer.clear();
  }
  if (bytes.size() > impl.capacity) {
    impl.write(bytes);
  } else {
    impl.buffer.insert(impl.buffer.end(), bytes.begin(), bytes.end());
  }
}

FileSeal AppendFile::finish() {
  Impl& impl = *impl_;
  impl.flush();
  impl.seal.checksum = impl.checksum.text();
  return impl.seal;
}

FileSeal AppendFile::seal() {
  FileSeal seal = finish();
  impl_->file.sync();
  return seal;
}

}  // namespace kith
