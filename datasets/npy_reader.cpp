#include "datasets/npy_reader.h"

#include <zip.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <numeric>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "graph/errors.h"
#include "graph/printable.h"

namespace kith {

namespace {

constexpr std::size_t kScratchBytes = 1 << 16;
constexpr std::uint64_t kMaxHeaderBytes = 1 << 16;
// Deflate cannot expand further than this; an entry that says more is damaged or hostile.
constexpr std::uint64_t kMaxDeflateRatio = 1032;

void discard_zip(zip* archive) { zip_discard(archive); }

struct Half {
  std::uint16_t bits;
};

template <typename Out, typename In>
Out convert(In value) {
  if constexpr (std::is_same_v<In, Half>) {
    return static_cast<Out>(half_to_float(value.bits));
  } else {
    return static_cast<Out>(value);
  }
}

// The text after 'key': in the dictionary of an .npy header.
std::string_view header_field(std::string_view text, std::string_view key, const std::string& name) {
  const std::size_t place = text.find(concat('\'', key, '\''));
  KITH_CHECK(place != std::string_view::npos, IoError, name, ": the .npy header has no '", key, "'");
  std::string_view rest = text.substr(place + key.size() + 2);
  rest.remove_prefix(std::min(rest.find_first_not_of(": "), rest.size()));
  return rest;
}

std::vector<std::int64_t> parse_shape(std::string_view text, const std::string& name) {
  const std::size_t close = text.find(')');
  KITH_CHECK(!text.empty() && text[0] == '(' && close != std::string_view::npos, IoError, name,
             ": the .npy header's shape is no tuple");
  std::vector<std::int64_t> shape;
  std::string_view rest = text.substr(1, close - 1);
  while (true) {
    rest.remove_prefix(std::min(rest.find_first_not_of(", L"), rest.size()));
    if (rest.empty()) {
      return shape;
    }
    std::int64_t extent = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), extent);
    KITH_CHECK(error == std::errc{} && extent >= 0 && shape.size() < 32, IoError, name,
               ": the .npy header's shape is damaged");
    shape.push_back(extent);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  }
}

// What stands between the quotes at the start of `text`, or the first `most` bytes of it.
std::string quoted(std::string_view text, std::size_t most) {
  return printable(std::string(text.substr(1, std::min(text.find('\'', 1), most + 1) - 1)));
}

NpyHeader parse_header(std::string_view text, const std::string& name) {
  NpyHeader header;
  const std::string_view type = header_field(text, "descr", name);
  KITH_CHECK(type.size() >= 4 && type[0] == '\'', IoError, name,
             ": expected an array of plain numbers, got a structured type");
  KITH_CHECK(type[1] == '<' || type[1] == '|', IoError, name, ": expected little-endian values, got type '",
             quoted(type, 8), "'");
  header.kind = type[2];
  const auto parsed = std::from_chars(type.data() + 3, type.data() + type.size(), header.item_bytes);
  const bool is_whole =
      parsed.ec == std::errc{} && parsed.ptr != type.data() + type.size() && *parsed.ptr == '\'';
  const std::int64_t size = header.item_bytes;
  const bool is_power = size == 1 || size == 2 || size == 4 || size == 8;
  const bool is_known = (header.kind == 'b' && size == 1) || (header.kind == 'f' && is_power && size > 1) ||
                        ((header.kind == 'i' || header.kind == 'u') && is_power) ||
                        (header.kind == 'U' && size >= 0 && size < (1 << 24));
  KITH_CHECK(is_whole && is_known, IoError, name, ": expected integers, floats, bools or text, got type '",
             quoted(type, 16), "'");
  header.item_bytes *= header.kind == 'U' ? 4 : 1;
  const std::string_view order = header_field(text, "fortran_order", name);
  header.is_fortran_order = order.starts_with("True");
  KITH_CHECK(header.is_fortran_order || order.starts_with("False"), IoError, name,
             ": the .npy header's fortran_order is neither True nor False");
  header.shape = parse_shape(header_field(text, "shape", name), name);
  return header;
}

// Throws unless the array takes exactly `bytes`; afterwards products of the shape cannot overflow.
void check_size(const NpyHeader& header, std::uint64_t bytes, const std::string& name) {
  KITH_CHECK(header.item_bytes > 0 || header.shape.empty(), IoError, name, ": expected values, got empty text");
  const bool is_empty = std::find(header.shape.begin(), header.shape.end(), 0) != header.shape.end();
  std::uint64_t expected = is_empty ? 0 : static_cast<std::uint64_t>(header.item_bytes);
  for (const std::int64_t extent : header.shape) {
    if (is_empty) {
      break;
    }
    KITH_CHECK(expected <= bytes / static_cast<std::uint64_t>(extent), IoError, name,
               ": the .npy header says more values than the entry holds (", bytes, " bytes)");
    expected *= static_cast<std::uint64_t>(extent);
  }
  KITH_CHECK(expected == bytes, IoError, name, ": the .npy header says ", expected,
             " bytes of values, the entry holds ", bytes);
}

}  // namespace

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1FU;
  const std::uint32_t mantissa = half & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 255U : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

std::int64_t NpyHeader::num_items() const {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) {
    return 0;
  }
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

NpyReader::NpyReader(zip* archive, std::uint64_t index, std::string name, std::uint64_t archive_bytes)
    : name_(std::move(name)), file_(nullptr, zip_fclose), scratch_(kScratchBytes) {
  zip_stat_t stat;
  zip_stat_init(&stat);
  KITH_CHECK(zip_stat_index(archive, index, 0, &stat) == 0, IoError, name_, ": ", zip_strerror(archive));
  KITH_CHECK((stat.valid & ZIP_STAT_SIZE) != 0 && (stat.valid & ZIP_STAT_COMP_SIZE) != 0 &&
                 stat.comp_size <= archive_bytes && stat.size / kMaxDeflateRatio <= stat.comp_size,
             IoError, name_, ": the entry's sizes in the zip directory are impossible");
  file_.reset(zip_fopen_index(archive, index, 0));
  KITH_CHECK(file_ != nullptr, IoError, name_, ": ", zip_strerror(archive));

  std::byte start[12];
  read_bytes(std::span(start, 8));
  KITH_CHECK(std::memcmp(start, "\x93NUMPY", 6) == 0, IoError, name_, ": not an .npy array");
  const auto version = std::to_integer<int>(start[6]);
  KITH_CHECK(version >= 1 && version <= 3, IoError, name_, ": expected .npy version 1 to 3, got ", version);
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  read_bytes(std::span(start + 8, length_bytes));
  std::uint64_t length = 0;
  for (std::size_t i = length_bytes; i-- > 0;) {
    length = length * 256 + std::to_integer<std::uint64_t>(start[8 + i]);
  }
  const std::uint64_t before = 8 + length_bytes + length;
  KITH_CHECK(length <= kMaxHeaderBytes && before <= stat.size, IoError, name_, ": the .npy header says it is ",
             length, " bytes long, the entry holds ", stat.size);
  std::string text(length, '\0');
  read_bytes(std::as_writable_bytes(std::span(text)));
  header_ = parse_header(text, name_);
  check_size(header_, stat.size - before, name_);
}

void NpyReader::read_bytes(std::span<std::byte> out) {
  while (!out.empty()) {
    const zip_int64_t got = zip_fread(file_.get(), out.data(), out.size());
    KITH_CHECK(got >= 0, IoError, name_, ": damaged data (", zip_file_strerror(file_.get()), ")");
    KITH_CHECK(got > 0, IoError, name_, ": the data ends too early");
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

template <typename In, typename Out>
void NpyReader::read_typed(std::span<Out> out) {
  while (!out.empty()) {
    const std::size_t count = std::min(out.size(), scratch_.size() / sizeof(In));
    read_bytes(std::span(scratch_).first(count * sizeof(In)));
    for (std::size_t i = 0; i < count; ++i) {
      In value;
      std::memcpy(&value, scratch_.data() + i * sizeof(In), sizeof(In));
      out[i] = convert<Out>(value);
    }
    out = out.subspan(count);
  }
}

template <typename Out>
void NpyReader::read_converted(std::span<Out> out) {
  const auto key = std::pair(header_.kind == 'b' ? 'u' : header_.kind, header_.item_bytes);
  if (key == std::pair('i', std::int64_t{1})) return read_typed<std::int8_t>(out);
  if (key == std::pair('i', std::int64_t{2})) return read_typed<std::int16_t>(out);
  if (key == std::pair('i', std::int64_t{4})) return read_typed<std::int32_t>(out);
  if (key == std::pair('i', std::int64_t{8})) return read_typed<std::int64_t>(out);
  if (key == std::pair('u', std::int64_t{1})) return read_typed<std::uint8_t>(out);
  if (key == std::pair('u', std::int64_t{2})) return read_typed<std::uint16_t>(out);
  if (key == std::pair('u', std::int64_t{4})) return read_typed<std::uint32_t>(out);
  if (key == std::pair('u', std::int64_t{8})) return read_typed<std::uint64_t>(out);
  if constexpr (std::is_same_v<Out, float>) {
    if (key == std::pair('f', std::int64_t{2})) return read_typed<Half>(out);
    if (key == std::pair('f', std::int64_t{4})) return read_typed<float>(out);
    if (key == std::pair('f', std::int64_t{8})) return read_typed<double>(out);
  }
  throw IoError(concat(name_, ": expected ", std::is_same_v<Out, float> ? "numbers" : "integers",
                       ", got type '", header_.kind, header_.item_bytes, "'"));
}

void NpyReader::read(std::span<std::int64_t> out) { read_converted(out); }
void NpyReader::read(std::span<float> out) { read_converted(out); }

void NpyReader::skip(std::int64_t num_items) {
  auto rest = static_cast<std::uint64_t>(num_items) * static_cast<std::uint64_t>(header_.item_bytes);
  while (rest > 0) {
    const std::uint64_t count = std::min<std::uint64_t>(rest, scratch_.size());
    read_bytes(std::span(scratch_).first(count));
    rest -= count;
  }
}

void NpyReader::finish() {
  const zip_int64_t got = zip_fread(file_.get(), scratch_.data(), 1);
  KITH_CHECK(got >= 0, IoError, name_, ": damaged data (", zip_file_strerror(file_.get()), ")");
  KITH_CHECK(got == 0, IoError, name_, ": the entry holds more than its .npy header says");
}

NpzArchive::NpzArchive(std::string path) : path_(std::move(path)), archive_(nullptr, discard_zip) {
  std::error_code error;
  KITH_CHECK(std::filesystem::is_regular_file(path_, error), IoError, path_, ": no such file");
  file_bytes_ = std::filesystem::file_size(path_, error);
  int code = 0;
  archive_.reset(zip_open(path_.c_str(), ZIP_RDONLY, &code));
  if (archive_ == nullptr) {
    zip_error_t reason;
    zip_error_init_with_code(&reason, code);
    const std::string text = zip_error_strerror(&reason);
    zip_error_fini(&reason);
    throw IoError(concat(path_, ": not a readable zip file (", text, ")"));
  }
}

bool NpzArchive::has(const std::string& key) const {
  return zip_name_locate(archive_.get(), (key + ".npy").c_str(), 0) >= 0;
}

NpyReader NpzArchive::open(const std::string& key) const {
  const zip_int64_t index = zip_name_locate(archive_.get(), (key + ".npy").c_str(), 0);
  KITH_CHECK(index >= 0, IoError, path_, ": has no array '", key, "'");
  return NpyReader(archive_.get(), static_cast<std::uint64_t>(index), concat(path_, ": ", key), file_bytes_);
}

std::vector<std::int64_t> NpzArchive::integers(const std::string& key) const {
  NpyReader reader = open(key);
  const NpyHeader& header = reader.header();
  KITH_CHECK(header.is_integer(), IoError, reader.name(), ": expected integers, got type '", header.kind,
             header.item_bytes, "'");
  KITH_CHECK(header.shape.size() < 2 || (header.shape.size() == 2 && header.shape[1] == 1), IoError,
             reader.name(), ": expected one dimension, got ", header.shape.size());
  std::vector<std::int64_t> values(static_cast<std::size_t>(header.num_items()));
  reader.read(std::span(values));
  reader.finish();
  return values;
}

}  // namespace kith
