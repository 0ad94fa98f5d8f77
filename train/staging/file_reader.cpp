#include "train/staging/file_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "graph/errors.h"
#include "train/staging/direct_file.h"

namespace kith {
namespace {

constexpr std::int32_t kMaxThreads = 16;

std::int64_t read_at(int descriptor, const SectorRead& read) {
  while (true) {
    const ssize_t count = ::pread(descriptor, read.into, read.size, static_cast<off_t>(read.offset));
    if (count >= 0 || errno != EINTR) return count >= 0 ? count : -errno;
  }
}

class PreadReader final : public FileReader {
 public:
  PreadReader(const std::string& path, const FileReaderOptions& options)
      : file_(path, options.is_direct),
        buffers_(std::min(options.queue_depth, kMaxThreads), options.max_read_bytes) {
    try {
      for (std::int32_t i = 0; i < std::min(options.queue_depth, kMaxThreads); ++i) {
        threads_.emplace_back([this] { work(); });
      }
    } catch (...) {
      stop();  // no destructor will
      throw;
    }
  }

  ~PreadReader() override { stop(); }

  std::string_view name() const override { return "pread"; }
  std::size_t max_read_bytes() const override { return buffers_.max_read_bytes(); }
  bool can_start() const override { return buffers_.has_free(); }
  std::size_t num_under_way() const override { return num_under_way_; }

  void start(std::uint64_t offset, std::size_t size, std::uint64_t tag) override {
    const std::size_t buffer = buffers_.take(offset, size, tag);
    ++num_under_way_;
    {
      const std::lock_guard lock(mutex_);
      to_do_.push_back(buffer);
    }
    wake_.notify_one();
  }

  FinishedRead wait() override {
    Done done;
    {
      std::unique_lock lock(mutex_);
      one_done_.wait(lock, [this] { return !done_.empty(); });
      done = done_.front();
      done_.pop_front();
    }
    --num_under_way_;
    return buffers_.finish(done.buffer, done.result, file_);
  }

  void give_back(const FinishedRead& read) override { buffers_.give_back(read.buffer); }

 private:
  struct Done {
    std::size_t buffer = 0;
    std::int64_t result = 0;
  };

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return is_stopping_ || !to_do_.empty(); });
      if (is_stopping_) return;
      const std::size_t buffer = to_do_.front();
      to_do_.pop_front();
      lock.unlock();
      const std::int64_t result = read_at(file_.descriptor(), buffers_[buffer]);
      lock.lock();
      done_.push_back({buffer, result});
      one_done_.notify_one();
    }
  }

  DirectFile file_;
  ReadBuffers buffers_;
  std::size_t num_under_way_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_, one_done_;
  std::deque<std::size_t> to_do_;  ///< buffers
  std::deque<Done> done_;
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

void check_options(const FileReaderOptions& options) {
  KITH_CHECK(options.queue_depth >= 1 && options.queue_depth <= 4096, InvalidArgument,
             "staging: the queue depth must be in [1, 4096], got ", options.queue_depth);
  KITH_CHECK(options.max_read_bytes > 0, InvalidArgument, "staging: a read must have more than 0 bytes");
}

}  // namespace

void FileReader::read(std::span<const FileRead> reads) {
  struct Piece {
    std::uint64_t offset;
    std::span<std::byte> into;
  };
  std::vector<Piece> pieces;
  for (FileRead rest : reads) {
    while (!rest.into.empty()) {
      const std::size_t size = std::min(rest.into.size(), max_read_bytes());
      pieces.push_back({rest.offset, rest.into.first(size)});
      rest = {.offset = rest.offset + size, .into = rest.into.subspan(size)};
    }
  }
  std::exception_ptr error;
  std::size_t next = 0;
  while ((next < pieces.size() && !error) || num_under_way() > 0) {
    for (; next < pieces.size() && !error && can_start(); ++next) {
      start(pieces[next].offset, pieces[next].into.size(), next);
    }
    try {
      const FinishedRead done = wait();
      std::memcpy(pieces[done.tag].into.data(), done.bytes.data(), done.bytes.size());
      give_back(done);
    } catch (...) {
      error = std::current_exception();  // those under way are waited for, but no more are started
    }
  }
  if (error) std::rethrow_exception(error);
}

std::unique_ptr<FileReader> make_pread_reader(const std::string& path, const FileReaderOptions& options) {
  check_options(options);
  return std::make_unique<PreadReader>(path, options);
}

std::unique_ptr<FileReader> open_file_reader(const std::string& path, const FileReaderOptions& options) {
  check_options(options);
  if (auto reader = make_uring_reader(path, options)) return reader;
  return make_pread_reader(path, options);
}

}  // namespace kith
