// The checkpoint file, format version 1, little-endian:
//   8 bytes magic "KITHCKPT" | u32 version | u32 zero | u64 bytes of the header | u64 bytes of the values
//   header: JSON (request, progress, and name, shape and scalar of every tensor)
//   values: of the tensors, in the order of the header, nothing between them
//   u64 XXH3 of all bytes before it
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "train/checkpoint/checkpoint.h"

namespace kith {

inline constexpr std::uint32_t kCheckpointVersion = 1;

/// The bytes of the file.
std::vector<std::byte> encode(const Checkpoint& checkpoint);

/// Checks the sizes, the checksum, every field and every shape before anything is returned; asks for no more
/// memory than a few times the bytes that are there. Throws IoError: "who: what is wrong".
Checkpoint decode(std::span<const std::byte> bytes, const std::string& who);

}  // namespace kith
