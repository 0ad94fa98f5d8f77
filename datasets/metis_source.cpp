#include "datasets/metis_source.h"

#include <algorithm>
#include <cstdint>

#include "datasets/source_parts.h"
#include "datasets/text_input.h"
#include "graph/errors.h"

namespace kith {

namespace {

struct MetisHeader {
  std::int64_t num_nodes = 0;
  std::int64_t num_edges = 0;
  std::int64_t values_before = 0;  ///< size and weights at the start of each line
  bool has_edge_weights = false;
};

// A digest of the undirected edge {u, v}; those of u->v and v->u cancel out in a sum if both are there.
std::uint64_t edge_digest(std::int64_t u, std::int64_t v) {
  std::uint64_t z =
      (static_cast<std::uint64_t>(std::min(u, v)) << 32) + static_cast<std::uint64_t>(std::max(u, v));
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  z ^= z >> 31;
  return u < v ? z : -z;
}

MetisHeader read_header(TextInput& text) {
  if (!text.next_content_line("%")) {
    text.fail("expected a header line, got the end of the file");
  }
  MetisHeader header;
  header.num_nodes = text.integer_in(0, kMaxNodes, "the number of nodes");
  header.num_edges = text.integer_in(0, INT64_MAX / 2, "the number of edges");
  std::int64_t format = 0;
  std::int64_t num_weights = 1;
  if (!text.end_of_line()) {
    format = text.integer_in(0, 111, "the format");
    if (format % 10 > 1 || format / 10 % 10 > 1) {
      text.fail(concat("the format must be three digits of 0 and 1, got ", format));
    }
  }
  if (!text.end_of_line()) {
    num_weights = text.integer_in(0, 1 << 20, "the number of node weights");
  }
  if (!text.end_of_line()) {
    text.fail("the header must be \"nodes edges [format [number of node weights]]\", got more");
  }
  header.has_edge_weights = format % 10 == 1;
  header.values_before = (format / 100 == 1 ? 1 : 0) + (format / 10 % 10 == 1 ? num_weights : 0);
  // A node takes its newline at least, the last one excepted, and an edge two ids.
  if (header.num_nodes > text.max_bytes() + 1 || header.num_edges > text.max_bytes()) {
    text.fail(concat("the header says ", header.num_nodes, " nodes and ", header.num_edges,
                     " edges: more than the file can hold"));
  }
  checked_num_nodes(header.num_nodes, text.file_bytes(), text.path());
  check_num_edges(header.num_edges, text.file_bytes(), text.path());
  text.next_line();
  return header;
}

class MetisSource final : public StoredSource {
 public:
  explicit MetisSource(const std::string& path) : text_(path) {
    const MetisHeader header = read_header(text_);
    num_nodes_ = static_cast<NodeId>(header.num_nodes);
    num_edges_ = header.num_edges;
  }

  void for_each_edges(const std::function<void(std::span<const Edge>)>& visit) override {
    text_.rewind();
    const MetisHeader header = read_header(text_);
    EdgeBuffer buffer(visit);
    std::int64_t num_entries = 0;
    std::uint64_t digest = 0;
    bool is_line_open = true;  // the last line ended in a newline, so that an empty one may follow
    for (std::int64_t node = 1; node <= header.num_nodes; ++node) {
      while (text_.peek() == '%') {
        is_line_open = text_.next_line();
      }
      if (text_.at_end() && !(is_line_open && node == header.num_nodes)) {
        text_.fail(concat("the header says ", header.num_nodes, " nodes, but the file ends after ", node - 1));
      }
      for (std::int64_t i = 0; i < header.values_before; ++i) {
        text_.integer("a node weight");
      }
      while (!text_.end_of_line()) {
        const std::int64_t neighbor = text_.integer_in(1, header.num_nodes, "a neighbour");
        if (header.has_edge_weights) {
          text_.integer("an edge weight");
        }
        ++num_entries;
        digest += neighbor == node ? 0 : edge_digest(node, neighbor);
        buffer.add({static_cast<NodeId>(node - 1), static_cast<NodeId>(neighbor - 1)});
      }
      is_line_open = text_.next_line();
    }
    check_end(header, num_entries, digest);
    buffer.flush();
  }

  void for_each_feature_row(const std::function<void(NodeId, std::span<const float>)>&) override {}
  EdgeOffset num_stored_edges() const override { return 2 * num_edges_; }
  bool is_undirected() const override { return true; }

 private:
  void check_end(const MetisHeader& header, std::int64_t num_entries, std::uint64_t digest) {
    if (text_.next_content_line("%")) {
      text_.fail(concat("the header says ", header.num_nodes, " nodes, but there are more lines"));
    }
    KITH_CHECK(num_entries == 2 * header.num_edges, IoError, text_.path(), ": the header says ",
               header.num_edges, " edges, so ", 2 * header.num_edges, " neighbours, but the lines hold ",
               num_entries);
    KITH_CHECK(digest == 0, IoError, text_.path(), ": an edge stands in the list of only one of its two nodes");
  }

  TextInput text_;
  std::int64_t num_edges_ = 0;
};

}  // namespace

std::unique_ptr<Source> open_metis_source(const std::string& path) {
  return std::make_unique<MetisSource>(path);
}

}  // namespace kith
