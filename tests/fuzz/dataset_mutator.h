// Damaged copies of a dataset file, made with an eye for its structure.
#pragma once

#include <cstdint>
#include <string>

namespace kith::fuzz {

/// What was done to a copy, and so what may come of it.
struct Damage {
  std::string what;  ///< for messages
  bool has_new_checksums =
      false;  ///< checksums were made to fit; else an accepted file must hold the same arrays
  bool must_be_refused = false;  ///< asks HDF5 for something that a dataset file may not have, such as a link
};

/// Writes copies of one valid file. Not thread-safe.
class DatasetMutator {
 public:
  /// valid: a dataset file; it gets checksums if it has none.
  explicit DatasetMutator(const std::string& valid);

  /// Writes the copy of number `seed` to `path`. The same seed makes the same copy.
  Damage write_damaged(std::uint64_t seed, const std::string& path) const;

 private:
  std::string valid_;
  std::string bytes_;
};

}  // namespace kith::fuzz
