#include "datasets/text_input.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "graph/errors.h"

namespace kith {

namespace {

// Deflate cannot expand further than this.
constexpr std::int64_t kMaxGzipRatio = 1032;

// What next_line may drop.
constexpr std::int64_t kMinDropped = std::int64_t{1} << 26;
constexpr std::int64_t kMaxDroppedRatio = 64;

void close_gz(gzFile_s* file) { gzclose_r(file); }

}  // namespace

TextInput::TextInput(std::string path)
    : path_(std::move(path)), file_(nullptr, close_gz), buffer_(kBufferBytes) {
  std::error_code error;
  KITH_CHECK(std::filesystem::is_regular_file(path_, error), IoError, path_, ": no such file");
  file_bytes_ = static_cast<std::int64_t>(std::filesystem::file_size(path_, error));
  file_.reset(gzopen(path_.c_str(), "rb"));
  KITH_CHECK(!error && file_ != nullptr, IoError, path_, ": cannot be opened");
  gzbuffer(file_.get(), 1 << 17);
  cursor_ = end_ = buffer_.data();
  refill();
  max_bytes_ = gzdirect(file_.get()) != 0 ? file_bytes_ : file_bytes_ * kMaxGzipRatio;
}

void TextInput::rewind() {
  KITH_CHECK(gzrewind(file_.get()) == 0, IoError, path_, ": cannot be read a second time");
  cursor_ = end_ = buffer_.data();
  is_drained_ = false;
  line_ = 1;
  dropped_bytes_ = 0;
}

bool TextInput::refill() {
  const auto kept = static_cast<std::size_t>(end_ - cursor_);
  if (is_drained_) {
    return kept > 0;
  }
  std::memmove(buffer_.data(), cursor_, kept);
  cursor_ = buffer_.data();
  const auto wanted = static_cast<unsigned>(buffer_.size() - kept);
  const int got = gzread(file_.get(), buffer_.data() + kept, wanted);
  end_ = cursor_ + kept + std::max(got, 0);
  if (got < static_cast<int>(wanted)) {
    is_drained_ = true;
    int code = Z_OK;
    const char* text = gzerror(file_.get(), &code);
    KITH_CHECK(got >= 0 && code == Z_OK, IoError, path_, ": damaged or truncated gzip data (",
               code == Z_BUF_ERROR ? "unexpected end of file" : text, ")");
  }
  return end_ != cursor_;
}

bool TextInput::next_line() {
  while (!at_end()) {
    const void* newline = std::memchr(cursor_, '\n', static_cast<std::size_t>(end_ - cursor_));
    const char* next = newline != nullptr ? static_cast<const char*>(newline) + 1 : end_;
    dropped_bytes_ += next - cursor_;
    cursor_ = next;
    if (dropped_bytes_ > std::max(kMinDropped, kMaxDroppedRatio * file_bytes_)) [[unlikely]] {
      fail(concat("blank lines, comments and ends of lines take ", dropped_bytes_, " bytes in a file of ",
                  file_bytes_));
    }
    if (newline != nullptr) {
      ++line_;
      return true;
    }
  }
  return false;
}

bool TextInput::next_content_line(std::string_view comment_marks) {
  while (!at_end()) {
    if (!end_of_line() && comment_marks.find(*cursor_) == std::string_view::npos) {
      return true;
    }
    next_line();
  }
  return false;
}

void TextInput::check_token_end(const char* end, const char* what) const {
  if (end == end_ ? !is_drained_ : !is_separator(*end)) {
    fail_token(what);
  }
}

std::int64_t TextInput::integer(const char* what) {
  skip_blanks();
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(cursor_, end_, value);
  if (error != std::errc{}) {
    fail_token(what);
  }
  check_token_end(end, what);
  cursor_ = end;
  return value;
}

std::int64_t TextInput::integer_in(std::int64_t low, std::int64_t high, const char* what) {
  const std::int64_t value = integer(what);
  if (value < low || value > high) [[unlikely]] {
    fail(concat(what, " must lie in ", low, "..", high, ", got ", value));
  }
  return value;
}

float TextInput::real(const char* what) {
  skip_blanks();
  float value = 0;
  const auto [end, error] = std::from_chars(cursor_, end_, value);
  if (error == std::errc::result_out_of_range) {
    // Written by a program of higher precision: too small is 0, too large is not a float.
    double wide = 0;
    const auto again = std::from_chars(cursor_, end_, wide);
    if (again.ec != std::errc{} || wide > 1 || wide < -1) {
      fail_token(what);
    }
  } else if (error != std::errc{}) {
    fail_token(what);
  }
  check_token_end(end, what);
  cursor_ = end;
  return value;
}

std::string_view TextInput::word(const char* what) {
  skip_blanks();
  const char* end = std::find_if(cursor_, end_, is_separator);
  if (end == cursor_) {
    fail_token(what);
  }
  check_token_end(end, what);
  const std::string_view found(cursor_, static_cast<std::size_t>(end - cursor_));
  cursor_ = end;
  return found;
}

void TextInput::fail(const std::string& text) const { throw IoError(concat(path_, ":", line_, ": ", text)); }

void TextInput::fail_token(const char* what) const {
  if (cursor_ == end_) {
    fail(concat("expected ", what, ", got the end of the file"));
  }
  if (*cursor_ == '\n') {
    fail(concat("expected ", what, ", got the end of the line"));
  }
  constexpr std::ptrdiff_t kShown = 40;
  const char* end = std::find_if(cursor_, std::min(end_, cursor_ + kShown), is_separator);
  std::string token(cursor_, end);
  std::replace_if(token.begin(), token.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  fail(concat("expected ", what, ", got '", token, "'"));
}

}  // namespace kith
