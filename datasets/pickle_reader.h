// Reads Python pickles as data and executes nothing: just the opcodes and the few globals that the Planetoid
// files need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kith {

/// A pickle (protocols 0 to 2, and the byte strings of 3) as a table of values that refer to each other by
/// position. Memory stays in proportion to the file: an opcode makes at most one value, and nothing is copied.
class Pickle {
 public:
  using Ref = std::int32_t;

  enum class Kind : std::uint8_t {
    none,
    integer,  ///< bools too
    real,
    text,      ///< any string or bytes
    sequence,  ///< tuple or list: items
    dict,      ///< items: key, value, key, value, ...
    global,    ///< text: "module name", one of a fixed list
    dtype,     ///< text: NumPy's name such as "f4"; items: its state after BUILD
    array,     ///< items: the state tuple after BUILD
    sparse,    ///< scipy csr_matrix; items: the state dict after BUILD
  };

  struct Value {
    Kind kind = Kind::none;
    std::int64_t integer = 0;
    double real = 0;
    std::string text;
    std::vector<Ref> items;
  };

  /// Reads the whole file. Throws IoError, naming the byte, for an opcode or global that is not on the list and
  /// for any damage.
  explicit Pickle(const std::string& path);

  const std::string& path() const { return path_; }
  std::size_t num_bytes() const { return num_bytes_; }  ///< of the file
  const Value& root() const { return values_[static_cast<std::size_t>(root_)]; }
  const Value& operator[](Ref ref) const { return values_[static_cast<std::size_t>(ref)]; }

 private:
  friend class PickleMachine;

  std::string path_;
  std::size_t num_bytes_ = 0;
  std::vector<Value> values_;
  Ref root_ = 0;
};

}  // namespace kith
