// Numbers and words from a text file, plain or gzip, through one bounded buffer, however long its lines are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct gzFile_s;

namespace kith {

/// A cursor over the text of a file. A gzip file may stand for a thousand times its bytes, but not with blank
/// lines, comments and the ends of lines: those may take 64 bytes for each one on disk, or 64 MiB. Blanks are
/// space, tab, comma, semicolon and carriage return; only '\n' ends a line. Every failure is an IoError that
/// reads "path:line: what was expected, what came". Not thread-safe.
class TextInput {
 public:
  /// Opens `path`; gzip is told by its first bytes. Throws IoError if it cannot be read.
  explicit TextInput(std::string path);

  const std::string& path() const { return path_; }
  std::int64_t line() const { return line_; }  ///< of the cursor, from 1

  /// No more bytes of text than this can come: sizes in headers are held against it before anything is
  /// allocated.
  std::int64_t max_bytes() const { return max_bytes_; }

  std::int64_t file_bytes() const { return file_bytes_; }  ///< on disk

  /// Back to the first byte.
  void rewind();

  /// True if no byte is left.
  bool at_end() { return cursor_ == end_ && !refill(); }

  /// Skips blanks; true if the line, or the file, ends there. The newline stays.
  bool end_of_line() {
    skip_blanks();
    return cursor_ == end_ || *cursor_ == '\n';
  }

  /// Drops the rest of the line. False if the file ended before a newline came.
  bool next_line();

  /// Moves over empty lines and lines that start with one of `comment_marks`, to the first token of the next
  /// line. False if there is none. To be called at the start of a line.
  bool next_content_line(std::string_view comment_marks);

  /// The next byte, or 0 at the end of the file.
  char peek() { return at_end() ? '\0' : *cursor_; }

  /// Next token of this line. `what` names it in the error.
  std::int64_t integer(const char* what);
  float real(const char* what);
  std::string_view word(const char* what);  ///< valid until the next call

  /// integer() that must lie in [low, high].
  std::int64_t integer_in(std::int64_t low, std::int64_t high, const char* what);

  /// Throws IoError for the cursor's line.
  [[noreturn]] void fail(const std::string& text) const;

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == ',' || c == ';'; }
  static bool is_separator(char c) { return is_blank(c) || c == '\n'; }

  void skip_blanks() {
    do {
      while (cursor_ != end_ && is_blank(*cursor_)) {
        ++cursor_;
      }
      // A token must lie in the buffer as a whole before it is parsed.
    } while (static_cast<std::size_t>(end_ - cursor_) < kMaxToken && !is_drained_ && refill() &&
             is_blank(*cursor_));
  }
  bool refill();
  void check_token_end(const char* end, const char* what) const;
  [[noreturn]] void fail_token(const char* what) const;

  static constexpr std::size_t kMaxToken = 512;
  static constexpr std::size_t kBufferBytes = std::size_t{1} << 18;

  std::string path_;
  std::unique_ptr<gzFile_s, void (*)(gzFile_s*)> file_;
  std::int64_t file_bytes_ = 0;
  std::int64_t max_bytes_ = 0;
  std::int64_t dropped_bytes_ = 0;  ///< since the first byte, by next_line
  std::vector<char> buffer_;
  const char* cursor_ = nullptr;
  const char* end_ = nullptr;
  bool is_drained_ = false;  ///< the file holds no more than the buffer does
  std::int64_t line_ = 1;
};

}  // namespace kith
