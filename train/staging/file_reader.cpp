#include "train/staging/file_reader.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
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

std::int64_t read_at(int descriptor, std::byte* buffer, std::size_t size, std::uint64_t offset) {
  while (true) {
    const ssize_t count = ::pread(descriptor, buffer, size, static_cast<off_t>(offset));
    if (count >= 0 || errno != EINTR) return count >= 0 ? count : -errno;
  }
}

class PreadReader final : public FileReader {
 public:
  PreadReader(const std::string& path, const FileReaderOptions& options) : file_(path, options.is_direct) {
    const std::int32_t num_threads = std::clamp(options.queue_depth, 1, kMaxThreads);
    for (std::int32_t i = 0; i < num_threads; ++i) threads_.emplace_back([this] { work(); });
  }

  ~PreadReader() override {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  std::string_view name() const override { return "pread"; }

  void read(std::span<const FileRead> reads) override {
    std::unique_lock lock(mutex_);
    pieces_ = DirectFile::cut(reads);
    next_ = 0;
    num_left_ = pieces_.size();
    wake_.notify_all();
    done_.wait(lock, [this] { return num_left_ == 0; });
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void work() {
    const AlignedBuffer buffer = make_aligned(DirectFile::kBufferBytes);
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return is_stopping_ || next_ < pieces_.size(); });
      if (is_stopping_) return;
      const SectorRead piece = pieces_[next_++];
      lock.unlock();
      std::exception_ptr error;
      try {
        file_.check(piece, read_at(file_.descriptor(), buffer.get(), piece.size, piece.offset));
        std::memcpy(piece.into.data(), buffer.get() + piece.lead, piece.into.size());
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error) error_ = error;
      if (--num_left_ == 0) done_.notify_all();
    }
  }

  DirectFile file_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<SectorRead> pieces_;
  std::size_t next_ = 0;
  std::size_t num_left_ = 0;
  std::exception_ptr error_;
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

void check_options(const FileReaderOptions& options) {
  KITH_CHECK(options.queue_depth >= 1 && options.queue_depth <= 4096, InvalidArgument,
             "staging: the queue depth must be in [1, 4096], got ", options.queue_depth);
}

}  // namespace

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
