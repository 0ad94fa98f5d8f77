// The errors that a user can cause, and the one macro that throws them. What only a bug of ours can
// cause is an assert instead. Texts name who, what was expected and what came:
//   make_plan: batch_size must be > 0, got 0
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace kith {

/// Base of every error that Kith throws on purpose. The command maps each subclass to an exit code.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An option, array or id that does not fit. Exit code 2; Python: ValueError.
class InvalidArgument : public Error {
 public:
  using Error::Error;
};

/// A file that is missing, damaged, of the wrong format or not writable. Exit code 2; Python: OSError.
class IoError : public Error {
 public:
  using Error::Error;
};

/// The machine lacks something: disk space, memory, a device. Exit code 3; Python: RuntimeError.
class EnvironmentError : public Error {
 public:
  using Error::Error;
};

/// A compute device is missing or failed. Exit code 3; Python: RuntimeError.
class DeviceError : public EnvironmentError {
 public:
  using EnvironmentError::EnvironmentError;
};

/// concat(parts...) joins its arguments as a stream would print them. An object, so that a call of another
/// library's concat with a type of ours does not find it (pybind11 has one).
inline constexpr auto concat = []<typename... Parts>(Parts&&... parts) {
  std::ostringstream out;
  (out << ... << std::forward<Parts>(parts));
  return std::move(out).str();
};

}  // namespace kith

/// Throws `ErrorType` with the joined message parts unless `condition` holds.
#define KITH_CHECK(condition, ErrorType, ...)               \
  do {                                                      \
    if (!(condition)) [[unlikely]] {                        \
      throw ::kith::ErrorType(::kith::concat(__VA_ARGS__)); \
    }                                                       \
  } while (false)
