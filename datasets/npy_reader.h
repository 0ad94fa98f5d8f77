// Arrays of an .npz file (a zip of .npy entries), streamed: nothing is inflated as a whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct zip;
struct zip_file;

namespace kith {

/// What an .npy entry says about itself.
struct NpyHeader {
  char kind = 0;  ///< NumPy's letter: 'b' bool, 'i', 'u', 'f' or 'U' (text, four bytes a character)
  std::int64_t item_bytes = 0;
  bool is_fortran_order = false;
  std::vector<std::int64_t> shape;  ///< empty = a scalar

  std::int64_t num_items() const;  ///< checked against the entry's size when the entry was opened
  bool is_integer() const { return kind == 'i' || kind == 'u' || kind == 'b'; }
};

/// One array, read front to back. Every failure is an IoError that names file and array.
class NpyReader {
 public:
  const NpyHeader& header() const { return header_; }
  const std::string& name() const { return name_; }  ///< "file.npz: key", for messages

  /// The next out.size() values, converted. The int64 form needs an integer array, the float form takes any
  /// number.
  void read(std::span<std::int64_t> out);
  void read(std::span<float> out);

  /// The next out.size() bytes.
  void read_bytes(std::span<std::byte> out);

  /// Passes over `num_items` values.
  void skip(std::int64_t num_items);

  /// Checks that the entry ends here, which compares its CRC too. To be called after the last value.
  void finish();

 private:
  friend class NpzArchive;
  NpyReader(zip* archive, std::uint64_t index, std::string name, std::uint64_t archive_bytes);

  template <typename Out>
  void read_converted(std::span<Out> out);
  template <typename In, typename Out>
  void read_typed(std::span<Out> out);

  std::string name_;
  std::unique_ptr<zip_file, int (*)(zip_file*)> file_;
  NpyHeader header_;
  std::vector<std::byte> scratch_;
};

/// An open .npz file. Readers must not outlive it. Not thread-safe.
class NpzArchive {
 public:
  /// Throws IoError if `path` is missing or no zip file.
  explicit NpzArchive(std::string path);

  const std::string& path() const { return path_; }
  std::int64_t file_bytes() const { return static_cast<std::int64_t>(file_bytes_); }
  bool has(const std::string& key) const;

  /// Opens the array `key`. Throws IoError if it is missing, not little endian, of a type that holds no numbers
  /// or text, or if its sizes do not fit together.
  NpyReader open(const std::string& key) const;

  /// The whole array as integers; it must be one-dimensional, a scalar or of one column.
  std::vector<std::int64_t> integers(const std::string& key) const;

 private:
  std::string path_;
  std::uint64_t file_bytes_ = 0;
  std::unique_ptr<zip, void (*)(zip*)> archive_;
};

/// The value of an IEEE half.
float half_to_float(std::uint16_t half);

}  // namespace kith
