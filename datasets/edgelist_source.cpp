#include "datasets/edgelist_source.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "datasets/id_map.h"
#include "datasets/source_parts.h"
#include "datasets/text_input.h"
#include "graph/errors.h"

namespace kith {

namespace {

constexpr const char* kComments = "#%";

// A bit for every id up to here takes no more memory than the file takes on disk, or 1 MiB.
std::uint64_t dense_limit(const TextInput& text) {
  return static_cast<std::uint64_t>(
             std::clamp<std::int64_t>(text.file_bytes() / 16, 1 << 20, std::int64_t{1} << 32)) *
         8;
}

class EdgelistSource final : public StoredSource {
 public:
  explicit EdgelistSource(const std::string& path) : text_(path), ids_(dense_limit(text_)) {
    for_each_pair([&](std::int64_t source, std::int64_t target) {
      ids_.insert(static_cast<std::uint64_t>(source));
      ids_.insert(static_cast<std::uint64_t>(target));
      ++num_edges_;
    });
    const std::int64_t count = ids_.freeze();
    KITH_CHECK(count > 0, IoError, path, ": holds no edges");
    KITH_CHECK(count <= kMaxNodes, IoError, path, ": at most ", kMaxNodes, " nodes are possible, got ", count);
    num_nodes_ = static_cast<NodeId>(count);
    data_.original_id = ids_.ids();
  }

  void for_each_edges(const std::function<void(std::span<const Edge>)>& visit) override {
    EdgeBuffer buffer(visit);
    for_each_pair([&](std::int64_t source, std::int64_t target) { buffer.add({node(source), node(target)}); });
    buffer.flush();
  }

  void for_each_feature_row(const std::function<void(NodeId, std::span<const float>)>&) override {}
  bool has_all_nodes() const override { return false; }
  EdgeOffset num_stored_edges() const override { return num_edges_; }
  bool is_undirected() const override { return false; }

 private:
  NodeId node(std::int64_t id) const {
    const auto found = ids_.find(static_cast<std::uint64_t>(id));
    if (!found) {
      text_.fail(concat("node ", id, " was not there before: the file changed while it was read"));
    }
    return *found;
  }

  template <typename Visit>
  void for_each_pair(const Visit& visit) {
    text_.rewind();
    bool is_first = true;
    std::int64_t num_edges = 0;
    while (text_.next_content_line(kComments)) {
      const char c = text_.peek();
      if (!is_first || !(std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '"' || c == '_')) {
        const std::int64_t source = text_.integer_in(0, INT64_MAX, "a source node id");
        const std::int64_t target = text_.integer_in(0, INT64_MAX, "a target node id");
        check_num_edges(++num_edges, text_.file_bytes(), text_.path());
        visit(source, target);
      }
      is_first = false;
      text_.next_line();
    }
  }

  TextInput text_;
  IdMap ids_;
  EdgeOffset num_edges_ = 0;
};

}  // namespace

std::unique_ptr<Source> open_edgelist_source(const std::string& path) {
  return std::make_unique<EdgelistSource>(path);
}

}  // namespace kith
