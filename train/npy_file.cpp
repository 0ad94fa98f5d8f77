#include "train/npy_file.h"

#include <array>
#include <cassert>
#include <cstddef>
#include <string_view>

#include "graph/errors.h"
#include "graph/whole_file.h"

namespace kith {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kPrefixBytes = 10;  // magic, version, length of the description

void write(const std::string& path, const char* type, std::span<const std::byte> bytes, std::int64_t rows,
           std::int64_t cols) {
  const std::string shape = cols == 0 ? concat('(', rows, ",)") : concat('(', rows, ", ", cols, ')');
  std::string text = concat("{'descr': '", type, "', 'fortran_order': False, 'shape': ", shape, ", }");
  text.resize((kPrefixBytes + text.size() + kAlignment) / kAlignment * kAlignment - kPrefixBytes, ' ');
  text.back() = '\n';
  std::string head("\x93NUMPY\x01\x00", 8);
  head.push_back(static_cast<char>(text.size() & 0xFF));
  head.push_back(static_cast<char>(text.size() >> 8));
  head += text;
  const std::array<std::span<const std::byte>, 2> parts{std::as_bytes(std::span<const char>(head)), bytes};
  replace_file(path, parts);
}

}  // namespace

void write_npy(const std::string& path, std::span<const std::int32_t> values, std::int64_t rows,
               std::int64_t cols) {
  write(path, "<i4", std::as_bytes(values), rows, cols);
}

void write_npy(const std::string& path, std::span<const float> values, std::int64_t rows, std::int64_t cols) {
  write(path, "<f4", std::as_bytes(values), rows, cols);
}

}  // namespace kith
