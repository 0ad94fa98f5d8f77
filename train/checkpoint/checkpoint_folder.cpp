#include "train/checkpoint/checkpoint_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "graph/errors.h"
#include "graph/whole_file.h"
#include "train/checkpoint/checkpoint_format.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using Cursor = std::pair<std::int64_t, std::int64_t>;  // epoch, batch

constexpr std::string_view kEpoch = "epoch-", kBatch = "-batch-", kSuffix = ".ckpt", kTemporary = ".tmp";

std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

std::optional<Cursor> parse_name(std::string_view name) {
  if (!take(name, kEpoch)) return std::nullopt;
  const std::optional<std::int64_t> epoch = take_number(name);
  if (!epoch || !take(name, kBatch)) return std::nullopt;
  const std::optional<std::int64_t> batch = take_number(name);
  if (!batch || name != kSuffix) return std::nullopt;
  return Cursor{*epoch, *batch};
}

template <typename Visit>
void for_each_name(const std::string& folder, const Visit& visit) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    visit(entry->path().filename().string());
  }
  KITH_CHECK(!error || error == std::errc::no_such_file_or_directory, IoError, folder,
             ": cannot read the folder: ", error.message());
}

}  // namespace

CheckpointFolder::CheckpointFolder(std::string path, std::int32_t keep) : path_(std::move(path)), keep_(keep) {
  KITH_CHECK(keep > 0, InvalidArgument, "--checkpoint-keep: expected > 0, got ", keep);
}

void CheckpointFolder::make() const {
  std::error_code error;
  fs::create_directories(path_, error);
  KITH_CHECK(!error, IoError, path_, ": the folder cannot be made: ", error.message());
}

void CheckpointFolder::remove_leftovers() const {
  std::error_code error;
  for_each_name(path_, [&](const std::string& name) {
    const bool is_temporary = name.ends_with(kTemporary) &&
                              parse_name(std::string_view(name).substr(0, name.size() - kTemporary.size()));
    if (is_temporary) fs::remove(fs::path(path_) / name, error);
  });
}

std::vector<std::string> CheckpointFolder::list() const {
  std::vector<std::pair<Cursor, std::string>> found;
  for_each_name(path_, [&](const std::string& name) {
    if (const std::optional<Cursor> cursor = parse_name(name)) {
      found.emplace_back(*cursor, (fs::path(path_) / name).string());
    }
  });
  std::sort(found.rbegin(), found.rend());
  std::vector<std::string> paths;
  for (auto& [cursor, path] : found) paths.push_back(std::move(path));
  return paths;
}

std::optional<Checkpoint> CheckpointFolder::read_newest(
    const std::function<void(const std::string&, const std::string&)>& on_damaged) const {
  const std::vector<std::string> paths = list();
  std::string problem;
  for (const std::string& path : paths) {
    try {
      return read_checkpoint(path);
    } catch (const IoError& error) {
      problem = error.what();
      on_damaged(path, problem);
    }
  }
  KITH_CHECK(paths.empty(), IoError, path_, ": none of ", paths.size(),
             " checkpoints can be read; the oldest: ", problem);
  return std::nullopt;
}

std::string CheckpointFolder::write(const Checkpoint& checkpoint) const {
  const std::string name = concat(kEpoch, checkpoint.epoch(), kBatch, checkpoint.next_batch, kSuffix);
  std::string path = (fs::path(path_) / name).string();
  const std::vector<std::byte> bytes = encode(checkpoint);
  const std::array<std::span<const std::byte>, 1> parts{bytes};
  replace_file(path, parts);
  const std::vector<std::string> paths = list();
  std::error_code ignored;  // one too many does no harm
  for (std::size_t i = static_cast<std::size_t>(keep_); i < paths.size(); ++i) fs::remove(paths[i], ignored);
  return path;
}

FolderLock::FolderLock(const std::string& folder)
    : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0 || ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  ::close(descriptor_);
  throw InvalidArgument(concat(folder, ": another run is writing its checkpoints there"));
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Checkpoint read_checkpoint(const std::string& path) { return decode(read_file(path), path); }

void set_aside(const std::string& path) {
  std::error_code ignored;
  fs::rename(path, path + ".damaged", ignored);
}

}  // namespace kith
