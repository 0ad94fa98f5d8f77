// Needs liburing; no_uring.cpp takes its place where there is none.
#include <liburing.h>

#include <cerrno>
#include <system_error>

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
      : file_(path, options.is_direct),
        ring_(static_cast<unsigned>(options.queue_depth)),
        buffers_(ring_.is_open() ? options.queue_depth : 0, options.max_read_bytes) {}

  ~UringReader() override {
    // The kernel still writes to the buffers of reads under way.
    while (num_under_way_ > 0 && wait_for_one()) {
    }
  }

  bool is_open() const { return ring_.is_open(); }
  std::string_view name() const override { return "io_uring"; }
  std::size_t max_read_bytes() const override { return buffers_.max_read_bytes(); }
  bool can_start() const override { return buffers_.has_free(); }
  std::size_t num_under_way() const override { return num_under_way_; }

  void start(std::uint64_t offset, std::size_t size, std::uint64_t tag) override {
    const std::size_t buffer = buffers_.take(offset, size, tag);
    const SectorRead& read = buffers_[buffer];
    io_uring_sqe* const entry = io_uring_get_sqe(ring_.get());  // there is one for every buffer
    io_uring_prep_read(entry, file_.descriptor(), read.into, static_cast<unsigned>(read.size), read.offset);
    io_uring_sqe_set_data64(entry, buffer);
    ++num_under_way_;
    // The kernel is told of many at once: at the latest when somebody waits.
    if (io_uring_sq_ready(ring_.get()) >= kSubmitTogether) io_uring_submit(ring_.get());
  }

  FinishedRead wait() override {
    if (!wait_for_one()) {
      num_under_way_ = 0;  // nobody can wait for them any more
      throw IoError(concat(file_.path(), ": io_uring: ", std::generic_category().message(-error_)));
    }
    return buffers_.finish(last_buffer_, last_result_, file_);
  }

  void give_back(const FinishedRead& read) override { buffers_.give_back(read.buffer); }

 private:
  static constexpr unsigned kSubmitTogether = 16;

  /// Takes one completion off the queue, into last_buffer_ and last_result_. False after an error of the ring.
  bool wait_for_one() {
    io_uring_cqe* completion = nullptr;
    do {
      error_ = io_uring_submit_and_wait(ring_.get(), 1);
      if (error_ < 0 && error_ != -EINTR && error_ != -EAGAIN && error_ != -EBUSY) return false;
    } while (io_uring_peek_cqe(ring_.get(), &completion) != 0);
    last_buffer_ = static_cast<std::size_t>(io_uring_cqe_get_data64(completion));
    last_result_ = completion->res;
    io_uring_cqe_seen(ring_.get(), completion);
    --num_under_way_;
    return true;
  }

  DirectFile file_;
  Ring ring_;
  ReadBuffers buffers_;
  std::size_t num_under_way_ = 0;
  std::size_t last_buffer_ = 0;
  std::int64_t last_result_ = 0;
  int error_ = 0;
};

}  // namespace

std::unique_ptr<FileReader> make_uring_reader(const std::string& path, const FileReaderOptions& options) {
  auto reader = std::make_unique<UringReader>(path, options);
  if (!reader->is_open()) return nullptr;
  return reader;
}

}  // namespace kith
