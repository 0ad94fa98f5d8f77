#include "train/sweep_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "train/report.h"
#include "train/run_request.h"
#include "train/sweep_plot.h"

namespace kith {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

/// The content of a file; null if it is missing or no JSON.
Json read_json(const std::string& path) {
  std::ifstream in(path);
  if (!in) return nullptr;
  Json json = Json::parse(in, nullptr, /*allow_exceptions=*/false);
  return json.is_discarded() ? nullptr : json;
}

/// Throws for the first entry of `asked` that `stored` has with another value.
void check_same(const Json& stored, const Json& asked, const std::string& what) {
  for (const auto& [key, value] : asked.items()) {
    if (!stored.contains(key)) continue;
    KITH_CHECK(stored[key] == value, InvalidArgument, "sweep: ", what, " with ", key, " ", stored[key].dump(),
               ", got ", value.dump(), "; choose a new folder");
  }
}

}  // namespace

SweepFolder::SweepFolder(std::string path, const Json& shared, const std::vector<SweepRun>& runs)
    : path_(std::move(path)) {
  Json graphs = Json::object();
  for (const SweepRun& run : runs) {
    if (!graphs.contains(run.graph)) graphs[run.graph] = identity_of(read_dataset(run.file));
  }
  std::error_code error;
  fs::create_directories(path_ + "/runs", error);
  KITH_CHECK(!error, IoError, path_, ": cannot be made: ", error.message());
  lock();
  const std::string shared_path = path_ + "/sweep.json";
  Json stored = read_json(shared_path);
  if (!stored.is_object() || !stored.contains("options") || !stored.contains("graphs")) {
    stored = {{"options", shared}, {"graphs", Json::object()}};
  }
  check_same(stored["options"], shared, path_ + " holds runs");
  for (const auto& [name, identity] : graphs.items()) {
    const std::string what = concat(path_, " holds runs of another dataset ", name, ",");
    if (stored["graphs"].contains(name)) check_same(stored["graphs"][name], identity, what);
    stored["graphs"][name] = identity;
  }
  write_text(shared_path, stored.dump(1) + "\n");
}

SweepFolder::~SweepFolder() {
  if (lock_ >= 0) close(lock_);
}

/// The runs inherit the lock: one that outlives a killed sweep keeps the next one away.
void SweepFolder::lock() {
  const std::string path = path_ + "/lock";
  lock_ = open(path.c_str(), O_RDWR | O_CREAT, 0666);
  KITH_CHECK(lock_ >= 0, IoError, path, ": cannot be written: ", std::strerror(errno));
  // A file system without locks is used without one.
  const bool is_taken = flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (is_taken) close(std::exchange(lock_, -1));
  KITH_CHECK(!is_taken, InvalidArgument, "sweep: ", path_,
             ": another sweep, or a run that one has left behind, is at work in this folder");
}

std::optional<SweepRow> SweepFolder::read(const SweepRun& run) const {
  const Json report = read_json(report_path(run));
  if (report.is_null()) return std::nullopt;
  try {
    return summarize(run, report);
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::string SweepFolder::last_words(const SweepRun& run) const {
  std::ifstream in(log_path(run));
  std::string last;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) last = std::move(line);
  }
  return last;
}

void SweepFolder::remove_log(const SweepRun& run) const {
  std::error_code ignored;
  fs::remove(log_path(run), ignored);
}

void SweepFolder::write_results(const std::vector<SweepRow>& rows) const {
  write_text(path_ + "/results.csv", to_csv(rows));
  write_text(path_ + "/results.svg", plot_sweep(rows));
}

}  // namespace kith
