// Small files, read and written as a whole.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace kith {

/// The content of a regular file. Throws IoError.
std::vector<std::byte> read_file(const std::string& path);

/// Makes `parts`, one after the other, the content of `path`: written to path + ".tmp", synced, renamed, and
/// the folder synced, so that `path` holds either all of the old content or all of the new. Throws IoError,
/// EnvironmentError (disk full); the temporary file is removed then, and `path` is as it was.
void replace_file(const std::string& path, std::span<const std::span<const std::byte>> parts);

}  // namespace kith
