#include "datasets/work_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "graph/errors.h"
#include "graph/whole_file.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kRecordSuffix = ".json";
constexpr std::size_t kChecksumLength = 16;

fs::path folder_of(const std::string& output) {
  const fs::path parent = fs::path(output).parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

/// Not by a directory_iterator: that of libstdc++ 12 ends the program when it gets no memory. Without the
/// folder, none.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(folder.c_str()), ::closedir);
  if (!stream) return entries;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") entries.push_back(folder / name);
  }
  return entries;
}

bool is_dead(std::string_view process) {
  int id = 0;
  const auto [end, error] = std::from_chars(process.data(), process.data() + process.size(), id);
  return error == std::errc() && end == process.data() + process.size() && id > 0 && ::kill(id, 0) != 0 &&
         errno == ESRCH;
}

[[noreturn]] void fail_to_write(const std::string& name, int error) {
  const std::string text = concat(name, ": cannot write: ", std::generic_category().message(error));
  if (error == ENOSPC || error == EDQUOT) throw EnvironmentError(text);
  throw IoError(text);
}

/// Removes .NAME.tmp-PID of processes that are gone. Returns how many.
int remove_dead_temporaries(const std::string& output) {
  const std::string prefix = concat(".", fs::path(output).filename().string(), ".tmp-");
  int count = 0;
  for (const fs::path& path : entries_of(folder_of(output))) {
    const std::string name = path.filename().string();
    if (!name.starts_with(prefix) || !is_dead(std::string_view(name).substr(prefix.size()))) continue;
    std::error_code ignored;
    count += fs::remove(path, ignored);
  }
  return count;
}

/// The first key of `expected` whose value `found` does not have; empty if all agree.
std::string first_difference(const Json& expected, const Json& found) {
  for (const auto& [key, value] : expected.items()) {
    if (!found.contains(key) || found[key] != value) return key;
  }
  return {};
}

struct Record {
  Json identity;
  StageRecord stage;
};

/// The record in the bytes of S.json. Throws Json::exception or IoError if they are damaged.
Record parse_record(const std::vector<std::byte>& bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const bool is_whole =
      bytes.size() > kChecksumLength &&
      text.substr(0, kChecksumLength) == checksum_of(std::span(bytes).subspan(kChecksumLength));
  KITH_CHECK(is_whole, IoError, "the checksum does not fit");
  const Json json = Json::parse(text.substr(kChecksumLength));
  Record record{json.at("identity"), {json.at("facts"), {}}};
  for (const auto& [name, seal] : json.at("files").items()) {
    record.stage.files[name] = {seal.at("bytes").get<std::uint64_t>(), seal.at("checksum").get<std::string>()};
  }
  return record;
}

Json identity_of_file(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {{"path", path.string()}};
  return {{"path", path.string()},
          {"bytes", status.st_size},
          {"changed", {status.st_mtim.tv_sec, status.st_mtim.tv_nsec}}};
}

}  // namespace

WorkFolder::WorkFolder(const std::string& output, Say say)
    : path_(output + ".prepare"), say_(std::move(say)), lock_(path_, output) {
  remove_unfinished();
  const int count = remove_dead_temporaries(output);
  if (count > 0 && say_) say_(concat("removed ", count, " temporary file(s) of runs that were killed"));
}

WorkFolder::~WorkFolder() {
  try {
    remove_unfinished();
  } catch (...) {  // without memory; the next run to this output will do it
  }
}

/// A run that ends removes the folder, so what was locked must still be what the name says.
WorkFolder::Lock::Lock(const std::string& path, const std::string& output) : path_(path) {
  while (true) {
    if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) fail_to_write(output, errno);
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor_ < 0 && errno == ENOENT) continue;
    if (descriptor_ < 0) fail_to_write(path, errno);
    // A file system without locks is used without one.
    const bool is_taken = ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    struct stat mine {};
    struct stat named {};
    const bool is_same = ::fstat(descriptor_, &mine) == 0 && ::stat(path.c_str(), &named) == 0 &&
                         mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
    if (!is_taken && is_same) return;
    ::close(std::exchange(descriptor_, -1));
    KITH_CHECK(!is_taken, InvalidArgument, output, ": another kith prepare is writing it");
  }
}

WorkFolder::Lock::~Lock() {
  ::rmdir(path_.c_str());  // fails, as it should, while there are finished stages
  ::close(descriptor_);
}

std::string WorkFolder::file(const std::string& stage, const std::string& name) const {
  return concat(path_, "/", stage, ".", name);
}

bool WorkFolder::is_finished(std::string_view stage) const {
  std::error_code ignored;
  return fs::exists(concat(path_, "/", stage, kRecordSuffix), ignored);
}

/// Files that are not called S.NAME are not ours and stay.
void WorkFolder::remove_unfinished() const {
  for (const fs::path& path : entries_of(path_)) {
    const std::string name = path.filename().string();
    const std::string_view stage = std::string_view(name).substr(0, name.find('.'));
    const bool is_ours = stage == "runs" || std::ranges::count(kStages, stage) > 0;
    std::error_code ignored;
    if (is_ours && (name.ends_with(".tmp") || !is_finished(stage))) fs::remove(path, ignored);
  }
}

void WorkFolder::discard(const std::string& stage, const std::string& why) {
  std::error_code ignored;
  fs::remove(concat(path_, "/", stage, kRecordSuffix), ignored);
  remove_unfinished();
  if (say_) say_(concat(path_, ": stage ", stage, " is made anew: ", why));
}

std::optional<StageRecord> WorkFolder::load(const std::string& stage, const Json& identity) {
  if (!is_finished(stage)) return std::nullopt;
  try {
    Record record = parse_record(read_file(concat(path_, "/", stage, kRecordSuffix)));
    if (const std::string key = first_difference(identity, record.identity); !key.empty()) {
      discard(stage, concat("it was made with another ", key));
      return std::nullopt;
    }
    for (const auto& [name, seal] : record.stage.files) {
      KITH_CHECK(seal_of(file(stage, name)) == seal, IoError, name, " is damaged");
    }
    return std::move(record.stage);
  } catch (const Json::exception&) {
    discard(stage, "its record is damaged");
  } catch (const IoError& error) {
    discard(stage, error.what());
  }
  return std::nullopt;
}

void WorkFolder::save(const std::string& stage, const Json& identity, const StageRecord& record) {
  Json files = Json::object();
  for (const auto& [name, seal] : record.files) {
    files[name] = {{"bytes", seal.num_bytes}, {"checksum", seal.checksum}};
  }
  const std::string text =
      Json{{"identity", identity}, {"facts", record.facts}, {"files", std::move(files)}}.dump(
          1, ' ', true, Json::error_handler_t::replace);
  const std::string checksum = checksum_of(std::as_bytes(std::span(text)));
  const std::array<std::span<const std::byte>, 2> parts{std::as_bytes(std::span(checksum)),
                                                        std::as_bytes(std::span(text))};
  replace_file(concat(path_, "/", stage, kRecordSuffix), parts);
}

std::int64_t WorkFolder::kept_bytes() const {
  std::int64_t bytes = 0;
  for (const fs::path& path : entries_of(path_)) {
    std::error_code error;
    const std::uintmax_t size = fs::file_size(path, error);
    const std::string name = path.filename().string();
    if (!error && is_finished(std::string_view(name).substr(0, name.find('.'))))
      bytes += static_cast<std::int64_t>(size);
  }
  return bytes;
}

void WorkFolder::remove() {
  for (const std::string_view stage : kStages) {
    std::error_code ignored;
    fs::remove(concat(path_, "/", stage, kRecordSuffix), ignored);
  }
  remove_unfinished();
}

Json identity_of_files(const std::string& path) {
  std::error_code error;
  std::vector<fs::path> files;
  std::string prefix = fs::path(path).filename().string();
  const bool is_planetoid = prefix.starts_with("ind.");  // any of its files stands for all of them
  if (is_planetoid) prefix.resize(std::min(prefix.size(), prefix.find('.', 4)));
  if (fs::is_directory(path, error)) {
    for (fs::recursive_directory_iterator next(path, error), end; !error && next != end;
         next.increment(error)) {
      if (next->is_regular_file(error)) files.push_back(next->path());
    }
  } else if (!is_planetoid) {
    files.emplace_back(path);
  } else {
    for (const fs::path& entry : entries_of(folder_of(path))) {
      if (entry.filename().string().starts_with(prefix)) files.push_back(entry);
    }
  }
  std::sort(files.begin(), files.end());
  Json identity = Json::array();
  for (const fs::path& file : files) identity.push_back(identity_of_file(fs::absolute(file, error)));
  return identity;
}

}  // namespace kith
