#include "train/staging/byte_size.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>

#include "graph/errors.h"

namespace kith {
namespace {

constexpr std::array<std::pair<std::string_view, double>, 9> kSuffixes{{{"", 1},
                                                                        {"B", 1},
                                                                        {"KB", 1e3},
                                                                        {"MB", 1e6},
                                                                        {"GB", 1e9},
                                                                        {"KiB", 1024},
                                                                        {"MiB", 1024.0 * 1024},
                                                                        {"GiB", 1024.0 * 1024 * 1024},
                                                                        {"TB", 1e12}}};

}  // namespace

std::int64_t parse_bytes(std::string_view text, std::int64_t whole, const char* option) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  double factor = suffix == "%" ? static_cast<double>(whole) / 100 : 0;
  for (const auto& [name, size] : kSuffixes) {
    if (suffix == name) factor = size;
  }
  const double bytes = number * factor;
  const bool is_known = suffix == "%" || factor > 0;
  KITH_CHECK(error == std::errc() && is_known && number >= 0 && std::isfinite(number) && bytes < 0x1p62,
             InvalidArgument, option, ": a size is expected (4096, 64KiB, 2GB, 10%), got '", text, "'");
  return static_cast<std::int64_t>(bytes);
}

std::vector<std::int64_t> parse_byte_list(std::string_view text, std::int64_t whole, const char* option) {
  std::vector<std::int64_t> sizes;
  while (true) {
    const std::size_t comma = text.find(',');
    sizes.push_back(parse_bytes(text.substr(0, comma), whole, option));
    if (comma == std::string_view::npos) return sizes;
    text.remove_prefix(comma + 1);
  }
}

std::string show_bytes(double bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "KB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < kUnits.size()) {
    bytes /= 1000;
    ++unit;
  }
  std::array<char, 48> out{};
  std::snprintf(out.data(), out.size(), unit == 0 ? "%.0f %s" : "%.2f %s", bytes, kUnits[unit]);
  return out.data();
}

}  // namespace kith
