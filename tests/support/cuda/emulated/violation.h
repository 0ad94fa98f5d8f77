// How the emulation reports a defect of the code that it runs.
#pragma once

#include <source_location>
#include <string>

#include "graph/errors.h"
#include "tests/support/cuda/emulation.h"

namespace kith::emulation {

/// What runs on the device now; for messages.
struct Activity {
  std::string library_call;        ///< "cublasSgemm", say; empty for a kernel
  const void* function = nullptr;  ///< the kernel
  std::source_location site;       ///< where it was launched
};

/// Null where nothing runs.
inline const Activity* current_activity = nullptr;

/// "the kernel of fill (a.cu:7), block (0, 0, 0)": where it was launched, and the block that runs.
std::string describe(const Activity& activity);

/// Throws Violation with what runs now in front of the message.
template <typename... Parts>
[[noreturn]] void violate(const Parts&... parts) {
  const std::string message = concat(parts...);
  throw Violation(current_activity == nullptr ? message
                                              : concat(message, "; in ", describe(*current_activity)));
}

/// "a.cu:12"
inline std::string where_text(const std::source_location& where) {
  const std::string path = where.file_name();
  return concat(path.substr(path.find_last_of('/') + 1), ":", where.line());
}

}  // namespace kith::emulation
