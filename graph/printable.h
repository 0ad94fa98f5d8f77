// Bytes of a file inside a message.
#pragma once

#include <algorithm>
#include <string>

namespace kith {

/// `text` in one line, with nothing that a terminal would obey: control characters become '?'.
inline std::string printable(std::string text) {
  std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; }, '?');
  return text;
}

}  // namespace kith
