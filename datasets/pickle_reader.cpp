#include "datasets/pickle_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <unordered_map>
#include <utility>

#include "graph/errors.h"
#include "graph/printable.h"

namespace kith {

namespace {

using Kind = Pickle::Kind;
using Ref = Pickle::Ref;

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 31;

enum class Callable : std::uint8_t {
  csr,
  array_type,
  make_array,
  dtype,
  defaultdict,
  list,
  object,
  reconstruct
};

std::optional<Callable> known_global(std::string_view name) {
  using Entry = std::pair<std::string_view, Callable>;
  static constexpr std::array<Entry, 13> kGlobals = {{
      {"scipy.sparse.csr csr_matrix", Callable::csr},
      {"scipy.sparse._csr csr_matrix", Callable::csr},
      {"numpy ndarray", Callable::array_type},
      {"numpy.core.multiarray _reconstruct", Callable::make_array},
      {"numpy._core.multiarray _reconstruct", Callable::make_array},
      {"numpy dtype", Callable::dtype},
      {"collections defaultdict", Callable::defaultdict},
      {"__builtin__ list", Callable::list},
      {"builtins list", Callable::list},
      {"__builtin__ object", Callable::object},
      {"builtins object", Callable::object},
      {"copy_reg _reconstructor", Callable::reconstruct},
      {"copyreg _reconstructor", Callable::reconstruct},
  }};
  const auto found =
      std::find_if(kGlobals.begin(), kGlobals.end(), [&](const Entry& e) { return e.first == name; });
  return found == kGlobals.end() ? std::nullopt : std::optional(found->second);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  KITH_CHECK(file, IoError, path, ": no such file");
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  KITH_CHECK(!file.bad() && bytes.size() < kMaxFileBytes, IoError, path,
             ": cannot be read, or larger than 2 GiB");
  return bytes;
}

// The value of an escaped Python string literal's body.
std::string unescape(std::string_view body) {
  std::string out;
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\' || i + 1 == body.size()) {
      out.push_back(body[i]);
      continue;
    }
    const char c = body[++i];
    int code = 0;
    if (c == 'x' && i + 2 < body.size() &&
        std::from_chars(&body[i + 1], &body[i] + 3, code, 16).ec == std::errc{}) {
      out.push_back(static_cast<char>(code));
      i += 2;
    } else {
      out.push_back(c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c);
    }
  }
  return out;
}

}  // namespace

// The stack machine of the pickle format. Marks are kept apart from the stack as heights of it.
class PickleMachine {
 public:
  PickleMachine(Pickle& out, std::string_view bytes) : out_(out), bytes_(bytes) {}

  void run() {
    while (true) {
      const auto op = static_cast<unsigned char>(take(1)[0]);
      if (op == '.') {
        out_.root_ = pop();
        return;
      }
      if (!push_constant(op) && !use_memo(op) && !build_container(op) && !build_object(op)) {
        fail(concat("opcode ", static_cast<int>(op), " is not one that such files need"));
      }
    }
  }

 private:
  [[noreturn]] void fail(const std::string& text) const {
    throw IoError(concat(out_.path_, ": byte ", place_, " of the pickle: ", text));
  }
  void check(bool condition, const char* text) const {
    if (!condition) {
      fail(text);
    }
  }

  std::string_view take(std::size_t count) {
    check(count <= bytes_.size() - place_, "the file ends too early");
    const std::string_view taken = bytes_.substr(place_, count);
    place_ += count;
    return taken;
  }
  std::string_view take_line() {
    const std::size_t end = bytes_.find('\n', place_);
    check(end != std::string_view::npos, "the file ends too early");
    const std::string_view line = take(end - place_);
    take(1);
    return line;
  }
  std::uint64_t take_unsigned(std::size_t count) {
    const std::string_view raw = take(count);
    std::uint64_t value = 0;
    for (std::size_t i = count; i-- > 0;) {
      value = value << 8 | static_cast<unsigned char>(raw[i]);
    }
    return value;
  }
  std::int64_t parse_integer(std::string_view text) const {
    if (text.ends_with('L')) {
      text.remove_suffix(1);
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    check(error == std::errc{} && end == text.data() + text.size(), "expected an integer");
    return value;
  }

  Pickle::Value& value(Ref ref) { return out_.values_[static_cast<std::size_t>(ref)]; }
  Pickle::Value& push_new(Kind kind) {
    stack_.push_back(static_cast<Ref>(out_.values_.size()));
    out_.values_.emplace_back().kind = kind;
    return out_.values_.back();
  }
  bool push_integer(std::int64_t integer) {
    push_new(Kind::integer).integer = integer;
    return true;
  }
  bool push_text(std::string text) {
    push_new(Kind::text).text = std::move(text);
    return true;
  }
  Ref pop() {
    check(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "nothing is left on the stack");
    const Ref ref = stack_.back();
    stack_.pop_back();
    return ref;
  }
  Ref top() {
    const Ref ref = pop();
    stack_.push_back(ref);
    return ref;
  }
  std::vector<Ref> pop_to_mark() {
    check(!marks_.empty(), "there is no mark");
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<Ref> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }

  bool push_constant(unsigned char op) {
    switch (op) {
      case 0x80:
        check(take_unsigned(1) <= 3, "the protocol must be at most 3");
        return true;
      case 'N':
        push_new(Kind::none);
        return true;
      case 0x88:
        return push_integer(1);
      case 0x89:
        return push_integer(0);
      case 'K':
        return push_integer(static_cast<std::int64_t>(take_unsigned(1)));
      case 'M':
        return push_integer(static_cast<std::int64_t>(take_unsigned(2)));
      case 'J':
        return push_integer(static_cast<std::int32_t>(take_unsigned(4)));
      case 'I':
      case 'L':
        return push_integer(parse_integer(take_line()));
      case 0x8a:
        return push_long();
      case 'G':
        push_new(Kind::real).real = std::bit_cast<double>(__builtin_bswap64(take_unsigned(8)));
        return true;
      case 'F':
        return push_real(take_line());
      case 'S':
        return push_quoted(take_line());
      case 'V':
        return push_text(std::string(take_line()));
      case 'U':
      case 'C':
        return push_text(std::string(take(take_unsigned(1))));
      case 'T':
      case 'X':
      case 'B':
        return push_text(std::string(take(take_unsigned(4))));
      default:
        return false;
    }
  }
  bool push_long() {
    const std::size_t count = take_unsigned(1);
    check(count <= 8, "expected an integer of at most 64 bits");
    const std::uint64_t raw = take_unsigned(count);
    const std::size_t unused = 64 - 8 * count;
    return push_integer(count == 0 ? 0 : static_cast<std::int64_t>(raw << unused) >> unused);
  }
  bool push_real(std::string_view text) {
    double real = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), real);
    check(error == std::errc{} && end == text.data() + text.size(), "expected a number");
    push_new(Kind::real).real = real;
    return true;
  }
  bool push_quoted(std::string_view text) {
    check(text.size() >= 2 && (text[0] == '\'' || text[0] == '"') && text.back() == text[0],
          "expected a quoted string");
    return push_text(unescape(text.substr(1, text.size() - 2)));
  }

  bool use_memo(unsigned char op) {
    switch (op) {
      case 'p':
        memo_[parse_integer(take_line())] = top();
        return true;
      case 'q':
        memo_[static_cast<std::int64_t>(take_unsigned(1))] = top();
        return true;
      case 'r':
        memo_[static_cast<std::int64_t>(take_unsigned(4))] = top();
        return true;
      case 'g':
        return recall(parse_integer(take_line()));
      case 'h':
        return recall(static_cast<std::int64_t>(take_unsigned(1)));
      case 'j':
        return recall(static_cast<std::int64_t>(take_unsigned(4)));
      default:
        return false;
    }
  }
  bool recall(std::int64_t key) {
    const auto found = memo_.find(key);
    check(found != memo_.end(), "a memo entry is used before it is set");
    stack_.push_back(found->second);
    return true;
  }

  bool build_container(unsigned char op) {
    switch (op) {
      case '(':
        marks_.push_back(stack_.size());
        return true;
      case ')':
      case ']':
        push_new(Kind::sequence);
        return true;
      case '}':
        push_new(Kind::dict);
        return true;
      case 't':
      case 'l':
        return push_items(Kind::sequence, pop_to_mark());
      case 'd':
        return push_items(Kind::dict, pop_to_mark());
      case 0x85:
      case 0x86:
      case 0x87:
        return push_tuple(op - 0x84U);
      case 'a':
        return append(Kind::sequence, {pop()});
      case 'e':
        return append(Kind::sequence, pop_to_mark());
      case 's':
        return set_item();
      case 'u':
        return append(Kind::dict, pop_to_mark());
      default:
        return false;
    }
  }
  bool push_items(Kind kind, std::vector<Ref> items) {
    check(kind != Kind::dict || items.size() % 2 == 0, "a dict has a key without a value");
    push_new(kind).items = std::move(items);
    return true;
  }
  bool push_tuple(std::size_t count) {
    std::vector<Ref> items(count);
    std::generate(items.rbegin(), items.rend(), [&] { return pop(); });
    return push_items(Kind::sequence, std::move(items));
  }
  bool set_item() {
    const Ref item = pop();
    const Ref key = pop();
    return append(Kind::dict, {key, item});
  }
  bool append(Kind kind, const std::vector<Ref>& items) {
    Pickle::Value& container = value(top());
    check(container.kind == kind, "items are added to something that holds none");
    check(kind != Kind::dict || items.size() % 2 == 0, "a dict has a key without a value");
    container.items.insert(container.items.end(), items.begin(), items.end());
    return true;
  }

  bool build_object(unsigned char op) {
    switch (op) {
      case 'c':
        return push_global();
      case 'R':
      case 0x81:
        return call();
      case 'b':
        return set_state();
      default:
        return false;
    }
  }
  bool push_global() {
    std::string name(take_line());
    name.append(" ").append(take_line());
    if (!known_global(name)) {
      fail(concat("global '", printable(name.substr(0, 80)),
                  "' is not one that such files need; nothing was executed"));
    }
    push_new(Kind::global).text = std::move(name);
    return true;
  }
  // What calling a global would make: an empty value of the right kind.
  bool call() {
    const Ref arguments = pop();
    const Ref target = pop();
    check(value(target).kind == Kind::global && value(arguments).kind == Kind::sequence,
          "only a known global is called");
    const std::vector<Ref>& items = value(arguments).items;
    switch (*known_global(value(target).text)) {
      case Callable::csr:
        push_new(Kind::sparse);
        return true;
      case Callable::make_array:
        push_new(Kind::array);
        return true;
      case Callable::defaultdict:
        push_new(Kind::dict);
        return true;
      case Callable::list:
        check(items.empty(), "a list is called with items");
        push_new(Kind::sequence);
        return true;
      case Callable::reconstruct:
        check(!items.empty() && value(items[0]).text.ends_with("csr_matrix"),
              "only a csr_matrix is reconstructed");
        push_new(Kind::sparse);
        return true;
      case Callable::dtype: {
        check(!items.empty() && value(items[0]).kind == Kind::text, "a dtype needs a name");
        std::string name = value(items[0]).text.substr(0, 16);
        push_new(Kind::dtype).text = std::move(name);
        return true;
      }
      default:
        fail("this global is not callable");
    }
  }
  bool set_state() {
    const Ref state = pop();
    Pickle::Value& target = value(top());
    check(target.kind == Kind::dtype || target.kind == Kind::array || target.kind == Kind::sparse,
          "a state is set on something that has none");
    target.items.assign(1, state);
    return true;
  }

  Pickle& out_;
  std::string_view bytes_;
  std::size_t place_ = 0;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::int64_t, Ref> memo_;
};

Pickle::Pickle(const std::string& path) : path_(path) {
  const std::string bytes = read_file(path);
  num_bytes_ = bytes.size();
  PickleMachine(*this, bytes).run();
}

}  // namespace kith
