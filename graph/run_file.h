// Private to graph/: where an external sort keeps its sorted runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace kith {

/// A file without a name: it is gone with the process, however that ends. Throws IoError, or EnvironmentError
/// if the disk is full, naming the folder.
class RunFile {
 public:
  explicit RunFile(const std::string& folder);
  ~RunFile();
  RunFile(RunFile&&) noexcept;
  RunFile& operator=(RunFile&&) noexcept;

  std::uint64_t num_bytes() const;
  void append(std::span<const std::byte> bytes);
  void read(std::uint64_t offset, std::span<std::byte> bytes) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kith
