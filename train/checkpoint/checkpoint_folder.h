// The folder in which a run keeps its latest checkpoints.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "train/checkpoint/checkpoint.h"

namespace kith {

/// Files `epoch-E-batch-B.ckpt`: what is to be done next when it is read. One process writes at a time.
class CheckpointFolder {
 public:
  /// keep: checkpoints that stay, > 0. Touches nothing.
  explicit CheckpointFolder(std::string path, std::int32_t keep = 2);

  /// Makes the folder if it is missing. Throws IoError.
  void make() const;
  /// Removes what a killed run left half-written.
  void remove_leftovers() const;

  /// Paths, newest first. None if there is no such folder. Throws IoError if it cannot be read.
  std::vector<std::string> list() const;

  /// The newest checkpoint that can be read, or nothing if there is none at all. on_damaged is told path and
  /// problem of each newer one. Throws IoError if all are damaged.
  std::optional<Checkpoint> read_newest(
      const std::function<void(const std::string& path, const std::string& problem)>& on_damaged) const;

  /// Writes one and removes those beyond `keep`. Returns its path. Throws IoError, EnvironmentError; then those
  /// before are still there.
  std::string write(const Checkpoint& checkpoint) const;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::int32_t keep_;
};

/// Keeps other processes from writing into a folder while it lives; a killed process keeps nothing.
class FolderLock {
 public:
  /// Throws InvalidArgument if another process has it. A file system without locks is taken as it is.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

/// Reads one file. Throws IoError.
Checkpoint read_checkpoint(const std::string& path);

/// Moves a damaged one aside: it is not a checkpoint any more, but still there.
void set_aside(const std::string& path);

}  // namespace kith
