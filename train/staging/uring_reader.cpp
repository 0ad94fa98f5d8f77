// Needs liburing; no_uring.cpp takes its place where there is none.
#include <liburing.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <system_error>
#include <vector>

#include "graph/errors.h"
#include "train/staging/direct_file.h"
#include "train/staging/file_reader.h"

namespace kith {
namespace {

/// The kernel's two queues. Throws nothing: is_open says whether the kernel gave them.
class Ring {
 public:
  explicit Ring(unsigned depth) : is_open_(io_uring_queue_init(depth, &ring_, 0) == 0) {}
  ~Ring() {
    if (is_open_) io_uring_queue_exit(&ring_);
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  bool is_open() const { return is_open_; }
  io_uring* get() { return &ring_; }

 private:
  io_uring ring_{};
  bool is_open_;
};

class UringReader final : public FileReader {
 public:
  UringReader(const std::string& path, const FileReaderOptions& options)
      : file_(path, options.is_direct), ring_(static_cast<unsigned>(options.queue_depth)) {
    if (!ring_.is_open()) return;
    for (std::int32_t i = 0; i < options.queue_depth; ++i) {
      buffers_.push_back(make_aligned(DirectFile::kBufferBytes));
      free_.push_back(static_cast<std::size_t>(i));
    }
    piece_of_.resize(buffers_.size());
  }

  bool is_open() const { return ring_.is_open(); }
  std::string_view name() const override { return "io_uring"; }

  void read(std::span<const FileRead> reads) override {
    const std::vector<SectorRead> pieces = DirectFile::cut(reads);
    std::size_t end = pieces.size(), next = 0, num_done = 0;
    std::exception_ptr error;
    while (num_done < end) {
      while (next < end && !free_.empty()) submit(pieces, next++);
      const int result = io_uring_submit_and_wait(ring_.get(), 1);
      if (result < 0 && result != -EINTR && result != -EAGAIN) {
        throw IoError(concat(file_.path(), ": io_uring: ", std::generic_category().message(-result)));
      }
      io_uring_cqe* completion = nullptr;
      while (io_uring_peek_cqe(ring_.get(), &completion) == 0) {
        try {
          finish(pieces, *completion);
        } catch (...) {
          // The others are in the kernel's hands, and so are their buffers: wait for them, but start no more.
          error = std::current_exception();
          end = next;
        }
        io_uring_cqe_seen(ring_.get(), completion);
        ++num_done;
      }
    }
    if (error) std::rethrow_exception(error);
  }

 private:
  void submit(const std::vector<SectorRead>& pieces, std::size_t index) {
    const std::size_t slot = free_.back();
    free_.pop_back();
    piece_of_[slot] = index;
    const SectorRead& piece = pieces[index];
    io_uring_sqe* const entry = io_uring_get_sqe(ring_.get());  // there is one for every buffer
    io_uring_prep_read(entry, file_.descriptor(), buffers_[slot].get(), static_cast<unsigned>(piece.size),
                       piece.offset);
    io_uring_sqe_set_data64(entry, slot);
  }

  void finish(const std::vector<SectorRead>& pieces, const io_uring_cqe& completion) {
    const auto slot = static_cast<std::size_t>(io_uring_cqe_get_data64(&completion));
    free_.push_back(slot);
    const SectorRead& piece = pieces[piece_of_[slot]];
    file_.check(piece, completion.res);
    std::memcpy(piece.into.data(), buffers_[slot].get() + piece.lead, piece.into.size());
  }

  DirectFile file_;
  std::vector<AlignedBuffer> buffers_;  ///< outlive the ring, which writes to them
  Ring ring_;
  std::vector<std::size_t> free_;      ///< buffers
  std::vector<std::size_t> piece_of_;  ///< [buffers]
};

}  // namespace

std::unique_ptr<FileReader> make_uring_reader(const std::string& path, const FileReaderOptions& options) {
  auto reader = std::make_unique<UringReader>(path, options);
  if (!reader->is_open()) return nullptr;
  return reader;
}

}  // namespace kith
