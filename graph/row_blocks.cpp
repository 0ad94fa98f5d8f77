#include "graph/row_blocks.h"

#include <algorithm>
#include <utility>

#include "graph/errors.h"
#include "graph/posix_file.h"

namespace kith {

struct RowBlocks::Reader {
  PosixFile file;
  std::vector<NodeId> buffer = {};
  NodeId begin = -1, end = -1;  ///< rows in the buffer
};

RowBlocks::RowBlocks(CsrView graph) : offsets_(graph.offsets), neighbors_(graph.neighbors) {}

RowBlocks::RowBlocks(const std::string& path, std::span<const EdgeOffset> offsets, Scratch& scratch)
    : offsets_(offsets), scratch_(&scratch), reader_(std::make_unique<Reader>(Reader{PosixFile::open(path)})) {
  const auto expected = static_cast<std::uint64_t>(offsets.back()) * sizeof(NodeId);
  KITH_CHECK(reader_->file.size() == expected, IoError, path, ": expected ", expected, " bytes, got ",
             reader_->file.size());
}

RowBlocks::~RowBlocks() = default;
RowBlocks::RowBlocks(RowBlocks&&) noexcept = default;

RowBlock RowBlocks::read_block(NodeId begin) const {
  Reader& reader = *reader_;
  const auto room = static_cast<EdgeOffset>(std::max<std::size_t>(1, scratch_->rows_bytes() / sizeof(NodeId)));
  // The last row that still fits, but one at least.
  const auto past =
      std::upper_bound(offsets_.begin() + begin + 1, offsets_.end(), offsets_[begin] + room) - offsets_.begin();
  const auto end = static_cast<NodeId>(std::max<std::ptrdiff_t>(past - 1, begin + 1));
  const auto count = static_cast<std::size_t>(offsets_[end] - offsets_[begin]);
  // A graph that fits as a whole is read but once.
  if (reader.begin != begin || reader.end != end) {
    reader.begin = reader.end = -1;
    if (reader.buffer.size() < count) {
      reader.buffer = {};
      reader.buffer.resize(std::max(count, static_cast<std::size_t>(std::min(room, num_edges()))));
    }
    reader.file.read(static_cast<std::uint64_t>(offsets_[begin]) * sizeof(NodeId),
                     std::as_writable_bytes(std::span(reader.buffer).first(count)));
    reader.begin = begin;
    reader.end = end;
  }
  return {begin, end, offsets_, std::span<const NodeId>(reader.buffer).first(count)};
}

void RowBlocks::for_each(const std::function<void(const RowBlock&)>& visit) const {
  if (num_nodes() == 0) return;
  if (!reader_) {
    visit({0, num_nodes(), offsets_, neighbors_});
    return;
  }
  for (NodeId begin = 0; begin < num_nodes();) {
    const RowBlock block = read_block(begin);
    begin = block.end;
    visit(block);
  }
}

std::vector<NodeId> RowBlocks::load() const {
  if (!reader_) return {neighbors_.begin(), neighbors_.end()};
  std::vector<NodeId> neighbors(static_cast<std::size_t>(num_edges()));
  reader_->file.read(0, std::as_writable_bytes(std::span(neighbors)));
  return neighbors;
}

}  // namespace kith
