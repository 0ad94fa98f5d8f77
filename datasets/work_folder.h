// OUT.prepare, the folder beside an output in which prepare keeps temporary files and finished stages.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "graph/append_file.h"

namespace kith {

/// The stages of prepare that are kept, in order.
inline constexpr std::array<std::string_view, 3> kStages{"clean", "communities", "renumber"};

/// What a finished stage left: facts, and files by name. All files of stage S are called S.NAME.
struct StageRecord {
  nlohmann::ordered_json facts;
  std::map<std::string, FileSeal> files;  ///< by NAME
};

/// Holds a lock on the folder while it lives, so that two runs with one output do not destroy each other. A
/// stage is finished once S.json is there, which is written last and as a whole; files that no S.json speaks of
/// are removed when the folder is opened and when it is left.
///
/// Example, after the first stage: clean.json, clean.offsets, clean.neighbors, clean.train, ...
class WorkFolder {
 public:
  using Say = std::function<void(const std::string&)>;

  /// Makes the folder, or takes over what a run that was killed has left there, and removes temporary files of
  /// `output` whose process is gone. say: told one line for what it removes; may be empty. Throws IoError or
  /// EnvironmentError if the folder cannot be made, InvalidArgument if another run is at work.
  WorkFolder(const std::string& output, Say say);

  /// Finished stages stay; without any, the folder goes.
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& stage, const std::string& name) const;

  /// The record of a stage that is finished, was made under this identity (an object of values) and whose files
  /// have not changed by a bit. One that does not fit is removed, and a line says why.
  std::optional<StageRecord> load(const std::string& stage, const nlohmann::ordered_json& identity);

  /// Finishes a stage whose files are written. Throws IoError, EnvironmentError.
  void save(const std::string& stage, const nlohmann::ordered_json& identity, const StageRecord& record);

  /// Bytes of the finished stages, 0 if there are none.
  std::int64_t kept_bytes() const;

  /// Removes everything, the folder too.
  void remove();

 private:
  void remove_unfinished() const;
  void discard(const std::string& stage, const std::string& why);
  bool is_finished(std::string_view stage) const;

  /// The folder, locked. At the end it goes if it is empty, even if the constructor of its owner fails.
  class Lock {
   public:
    Lock(const std::string& path, const std::string& output);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    const std::string& path_;
    int descriptor_ = -1;
  };

  std::string path_;
  Say say_;
  Lock lock_;
};

/// Name, size and time of the last change of every file behind `path`: a file, a folder, or the files
/// ind.NAME.* of Planetoid.
nlohmann::ordered_json identity_of_files(const std::string& path);

}  // namespace kith
