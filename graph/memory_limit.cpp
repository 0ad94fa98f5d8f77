#include "graph/memory_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <limits>

#include "graph/errors.h"

namespace kith {
namespace {

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

/// The number in a file that holds just that; nothing if it holds something else ("max").
std::optional<std::int64_t> read_number(const std::string& path) {
  std::ifstream in(path);
  std::int64_t value = 0;
  if (in >> value) return value;
  return std::nullopt;
}

/// Bytes after `name` in a file of lines such as "MemFree:   123 kB".
std::optional<std::int64_t> read_kibibytes(const std::string& path, std::string_view name) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name)) return 1024 * std::stoll(line.substr(name.size()));
  }
  return std::nullopt;
}

/// Room in the group `path` of a hierarchy, and in those that it lies in.
std::int64_t room_in_group(const std::string& hierarchy, std::string path, const char* limit_name,
                           const char* usage_name) {
  std::int64_t room = kUnlimited;
  while (true) {
    const std::string folder = hierarchy + path;
    const std::optional<std::int64_t> limit = read_number(folder + "/" + limit_name);
    const std::optional<std::int64_t> usage = read_number(folder + "/" + usage_name);
    if (limit && usage) room = std::min(room, std::max<std::int64_t>(*limit - *usage, 0));
    if (path.empty() || path == "/") return room;
    path.resize(path.rfind('/'));
  }
}

/// Room in this process's control groups.
std::int64_t room_in_groups(const std::string& root) {
  std::int64_t room = kUnlimited;
  std::ifstream in(root + "proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {  // "4:memory:/a/b" (v1) or "0::/a/b" (v2)
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    const std::string groups = root + "sys/fs/cgroup";
    if (controllers.empty()) {
      room = std::min(room, room_in_group(groups, path, "memory.max", "memory.current"));
    } else if (controllers == "memory") {
      room = std::min(
          room, room_in_group(groups + "/memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes"));
    }
  }
  return room;
}

std::int64_t room_for_addresses(const std::string& root) {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnlimited;
  const std::int64_t used = read_kibibytes(root + "proc/self/status", "VmSize:").value_or(0);
  return std::max<std::int64_t>(static_cast<std::int64_t>(std::min<rlim_t>(limit.rlim_cur, kUnlimited)) - used,
                                0);
}

}  // namespace

std::optional<std::int64_t> available_memory(const std::string& root) {
  std::int64_t room = std::min(room_in_groups(root), room_for_addresses(root));
  const std::string meminfo = root + "proc/meminfo";
  if (const std::optional<std::int64_t> available = read_kibibytes(meminfo, "MemAvailable:")) {
    room = std::min(room, *available + read_kibibytes(meminfo, "SwapFree:").value_or(0));
  }
  if (room == kUnlimited) return std::nullopt;
  return room;
}

std::optional<std::int64_t> available_addresses(const std::string& root) {
  const std::int64_t room = room_for_addresses(root);
  if (room == kUnlimited) return std::nullopt;
  return room;
}

void require_memory(std::int64_t needed, std::string_view who, std::string_view remedy,
                    std::optional<std::int64_t> available) {
  const auto mebibytes = [](std::int64_t bytes) { return (bytes + (1 << 20) - 1) >> 20; };
  KITH_CHECK(!available || needed <= *available, EnvironmentError, who, " needs about ", mebibytes(needed),
             " MiB of memory, ", *available >> 20, " MiB are available; ", remedy);
}

}  // namespace kith
