#include "datasets/mtx_source.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "datasets/source_parts.h"
#include "datasets/text_input.h"
#include "graph/errors.h"
#include "graph/printable.h"

namespace kith {

namespace {

struct MtxHeader {
  std::int64_t num_nodes = 0;
  std::int64_t num_entries = 0;
  int values_per_entry = 0;
  bool is_symmetric = false;
};

std::string lower_word(TextInput& text, const char* what) {
  std::string word(text.word(what));
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
  return word;
}

// The line "%%MatrixMarket matrix coordinate FIELD SYMMETRY".
void read_banner(TextInput& text, MtxHeader& header) {
  if (text.end_of_line() || lower_word(text, "a header") != "%%matrixmarket" ||
      lower_word(text, "'matrix'") != "matrix") {
    text.fail("a MatrixMarket file must start with \"%%MatrixMarket matrix\"");
  }
  const std::string format = lower_word(text, "'coordinate'");
  if (format != "coordinate") {
    text.fail(concat("only the coordinate format is a sparse graph, got '", printable(format), "'"));
  }
  const std::string field = lower_word(text, "a field");
  if (field == "pattern") {
    header.values_per_entry = 0;
  } else if (field == "real" || field == "double" || field == "integer") {
    header.values_per_entry = 1;
  } else if (field == "complex") {
    header.values_per_entry = 2;
  } else {
    text.fail(concat("the field must be pattern, real, integer or complex, got '", printable(field), "'"));
  }
  const std::string symmetry = lower_word(text, "a symmetry");
  header.is_symmetric = symmetry == "symmetric" || symmetry == "skew-symmetric" || symmetry == "hermitian";
  if (!header.is_symmetric && symmetry != "general") {
    text.fail(concat("the symmetry must be general, symmetric, skew-symmetric or hermitian, got '",
                     printable(symmetry), "'"));
  }
  text.next_line();
}

MtxHeader read_header(TextInput& text) {
  MtxHeader header;
  read_banner(text, header);
  if (!text.next_content_line("%")) {
    text.fail("expected the line of sizes, got the end of the file");
  }
  header.num_nodes = text.integer_in(0, kMaxNodes, "the number of rows");
  const std::int64_t num_columns = text.integer_in(0, kMaxNodes, "the number of columns");
  header.num_entries = text.integer_in(0, INT64_MAX, "the number of entries");
  if (header.num_nodes != num_columns) {
    text.fail(concat("a graph needs a square matrix, got ", header.num_nodes, " x ", num_columns));
  }
  if (header.num_entries > text.max_bytes()) {
    text.fail(concat("the header says ", header.num_entries, " entries: more than the file can hold"));
  }
  checked_num_nodes(header.num_nodes, text.file_bytes(), text.path());
  check_num_edges(header.num_entries, text.file_bytes(), text.path());
  text.next_line();
  return header;
}

class MtxSource final : public StoredSource {
 public:
  explicit MtxSource(const std::string& path) : text_(path) {
    const MtxHeader header = read_header(text_);
    num_nodes_ = static_cast<NodeId>(header.num_nodes);
    num_entries_ = header.num_entries;
    is_undirected_ = header.is_symmetric;
  }

  void for_each_edges(const std::function<void(std::span<const Edge>)>& visit) override {
    text_.rewind();
    const MtxHeader header = read_header(text_);
    EdgeBuffer buffer(visit);
    std::int64_t num_entries = 0;
    for (; text_.next_content_line("%"); ++num_entries) {
      if (num_entries == header.num_entries) {
        text_.fail(concat("the header says ", header.num_entries, " entries, but there are more"));
      }
      const std::int64_t row = text_.integer_in(1, header.num_nodes, "a row");
      const std::int64_t column = text_.integer_in(1, header.num_nodes, "a column");
      for (int i = 0; i < header.values_per_entry; ++i) {
        text_.word("a value");
      }
      if (!text_.end_of_line()) {
        text_.fail(
            concat("an entry must be a row, a column and ", header.values_per_entry, " values, got more"));
      }
      text_.next_line();
      buffer.add({static_cast<NodeId>(row - 1), static_cast<NodeId>(column - 1)});
    }
    if (num_entries < header.num_entries) {
      text_.fail(
          concat("the header says ", header.num_entries, " entries, but the file ends after ", num_entries));
    }
    buffer.flush();
  }

  void for_each_feature_row(const std::function<void(NodeId, std::span<const float>)>&) override {}
  EdgeOffset num_stored_edges() const override { return num_entries_; }
  bool is_undirected() const override { return is_undirected_; }

 private:
  TextInput text_;
  std::int64_t num_entries_ = 0;
  bool is_undirected_ = false;
};

}  // namespace

std::unique_ptr<Source> open_mtx_source(const std::string& path) { return std::make_unique<MtxSource>(path); }

}  // namespace kith
