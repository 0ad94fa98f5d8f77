// Preloaded into a program, makes one of its calls on files fail: LD_PRELOAD=libio_shim.so
//   KITH_FAULT_FOLDER  only files below this folder count
//   KITH_FAULT         "CALL KIND K": the K-th CALL (from 1) meets KIND; CALL is one of kNames, KIND is
//                      an errno (EIO, ENOSPC, EINTR), `short` (half of what was asked for), `end` (nothing
//                      more to read) or, for mmap, `cut` (the file shrinks once it is mapped)
//   KITH_FAULT_COUNTS  a file that gets a line "CALL number" for each call when the program calls _exit
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

enum Call { kRead, kWrite, kFread, kFsync, kRename, kMmap, kReserve, kNumCalls };
constexpr std::array<const char*, kNumCalls> kNames{"read",   "write", "fread",  "fsync",
                                                    "rename", "mmap",  "reserve"};

std::array<std::atomic<int>, kNumCalls> counts;

struct Fault {
  std::string folder;
  std::string call, kind;
  int number = 0;
};

const Fault& fault() {
  static const Fault* const made = [] {
    auto* read = new Fault;
    if (const char* folder = std::getenv("KITH_FAULT_FOLDER")) read->folder = folder;
    const char* text = std::getenv("KITH_FAULT");
    char call[16] = "", kind[16] = "";
    if (text != nullptr && std::sscanf(text, "%15s %15s %d", call, kind, &read->number) == 3) {
      read->call = call;
      read->kind = kind;
    }
    return read;
  }();
  return *made;
}

bool is_inside(const char* path) {
  const std::string& folder = fault().folder;
  return !folder.empty() && std::string_view(path).starts_with(folder);
}

/// Path of a descriptor, or "".
std::string path_of(int descriptor) {
  char link[64], path[4096];
  std::snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
  const ssize_t length = ::readlink(link, path, sizeof(path));
  return {path, static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
}

/// True if it is this call that goes wrong.
bool strikes(Call call, const char* path) {
  if (!is_inside(path)) return false;
  const int number = ++counts[call];
  return fault().call == kNames[call] && number == fault().number;
}

int fault_errno() {
  const std::string& kind = fault().kind;
  return kind == "EIO" ? EIO : kind == "ENOSPC" ? ENOSPC : kind == "EINTR" ? EINTR : 0;
}

template <typename Function>
Function next(const char* name, Function) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

/// A call that moves `count` bytes: does what the fault says, or real(count).
template <typename Real>
ssize_t transfer(Call call, int descriptor, std::size_t count, const Real& real) {
  const int saved = errno;
  const bool is_struck = strikes(call, path_of(descriptor).c_str());
  errno = saved;
  if (!is_struck) return real(count);
  if (fault().kind == "short") return real(std::max<std::size_t>(1, count / 2));
  if (fault().kind == "end") return 0;
  errno = fault_errno();
  return -1;
}

void report_counts() {
  const char* path = std::getenv("KITH_FAULT_COUNTS");
  std::FILE* out = path == nullptr || *path == '\0' ? nullptr : std::fopen(path, "w");
  if (out == nullptr) return;
  for (int i = 0; i < kNumCalls; ++i) std::fprintf(out, "%s %d\n", kNames[i], counts[i].load());
  std::fclose(out);
}

int reserve(int descriptor, off_t offset, off_t length, const char* name) {
  if (strikes(kReserve, path_of(descriptor).c_str())) return fault_errno();
  return next(name, ::posix_fallocate)(descriptor, offset, length);
}

void* map(void* address, std::size_t length, int protection, int flags, int descriptor, off_t offset,
          const char* name) {
  const std::string path = descriptor < 0 ? "" : path_of(descriptor);
  const bool is_struck = descriptor >= 0 && strikes(kMmap, path.c_str());
  if (is_struck && fault().kind != "cut") {
    errno = fault_errno();
    return MAP_FAILED;
  }
  void* mapped = next(name, ::mmap)(address, length, protection, flags, descriptor, offset);
  if (is_struck && ::truncate(path.c_str(), 4096) != 0) std::abort();
  return mapped;
}

}  // namespace

extern "C" {

// The command's last call.
void _exit(int code) {
  report_counts();
  ::syscall(SYS_exit_group, code);
  __builtin_unreachable();
}

ssize_t read(int descriptor, void* buffer, std::size_t count) {
  return transfer(kRead, descriptor, count,
                  [&](std::size_t n) { return next("read", ::read)(descriptor, buffer, n); });
}
ssize_t pread(int descriptor, void* buffer, std::size_t count, off_t offset) {
  return transfer(kRead, descriptor, count,
                  [&](std::size_t n) { return next("pread", ::pread)(descriptor, buffer, n, offset); });
}
ssize_t pread64(int descriptor, void* buffer, std::size_t count, off_t offset) {
  return transfer(kRead, descriptor, count,
                  [&](std::size_t n) { return next("pread64", ::pread64)(descriptor, buffer, n, offset); });
}
ssize_t write(int descriptor, const void* buffer, std::size_t count) {
  return transfer(kWrite, descriptor, count,
                  [&](std::size_t n) { return next("write", ::write)(descriptor, buffer, n); });
}
ssize_t pwrite(int descriptor, const void* buffer, std::size_t count, off_t offset) {
  return transfer(kWrite, descriptor, count,
                  [&](std::size_t n) { return next("pwrite", ::pwrite)(descriptor, buffer, n, offset); });
}
ssize_t pwrite64(int descriptor, const void* buffer, std::size_t count, off_t offset) {
  return transfer(kWrite, descriptor, count,
                  [&](std::size_t n) { return next("pwrite64", ::pwrite64)(descriptor, buffer, n, offset); });
}
ssize_t writev(int descriptor, const iovec* parts, int num_parts) {
  std::size_t total = 0;
  for (int i = 0; i < num_parts; ++i) total += parts[i].iov_len;
  return transfer(kWrite, descriptor, total, [&](std::size_t n) {
    if (n == total) return next("writev", ::writev)(descriptor, parts, num_parts);
    return next("write", ::write)(descriptor, parts[0].iov_base, std::min(n, parts[0].iov_len));
  });
}
std::size_t fread(void* buffer, std::size_t size, std::size_t count, std::FILE* file) {
  if (!strikes(kFread, path_of(::fileno(file)).c_str()))
    return next("fread", ::fread)(buffer, size, count, file);
  if (fault().kind != "end") file->_flags |= 0x20;  // what ferror() looks at
  errno = fault_errno();
  return 0;
}
int fsync(int descriptor) {
  const std::string path = path_of(descriptor);
  if (!strikes(kFsync, path.c_str())) return next("fsync", ::fsync)(descriptor);
  errno = fault_errno();
  return -1;
}
int rename(const char* from, const char* to) noexcept {
  char* real = ::realpath(from, nullptr);
  const bool is_struck = real != nullptr && strikes(kRename, real);
  std::free(real);
  if (!is_struck) return next("rename", ::rename)(from, to);
  errno = fault_errno();
  return -1;
}
int posix_fallocate(int descriptor, off_t offset, off_t length) {
  return reserve(descriptor, offset, length, "posix_fallocate");
}
int posix_fallocate64(int descriptor, off_t offset, off_t length) {
  return reserve(descriptor, offset, length, "posix_fallocate64");
}
void* mmap(void* address, std::size_t length, int protection, int flags, int descriptor,
           off_t offset) noexcept {
  return map(address, length, protection, flags, descriptor, offset, "mmap");
}
void* mmap64(void* address, std::size_t length, int protection, int flags, int descriptor,
             off_t offset) noexcept {
  return map(address, length, protection, flags, descriptor, offset, "mmap64");
}

}  // extern "C"
