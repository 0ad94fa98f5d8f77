// Sizes as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kith {

/// "4096", "64KiB", "2GB" (powers of 1000 and, with an i, of 1024) or "10%" of `whole`. Throws InvalidArgument,
/// naming `option`, for anything else.
std::int64_t parse_bytes(std::string_view text, std::int64_t whole, const char* option);

/// The same for several sizes with commas between them.
std::vector<std::int64_t> parse_byte_list(std::string_view text, std::int64_t whole, const char* option);

/// "1.5 MB"
std::string show_bytes(double bytes);

}  // namespace kith
