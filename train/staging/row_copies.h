// Brings feature rows to their places, from memory and from a file, batch after batch, while later batches are
// being prepared.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "train/staging/file_reader.h"

namespace kith {

/// The rows that one batch moves. First those in memory, in order; then those of the file as they come.
struct RowCopies {
  struct FromMemory {
    const std::byte* from;
    std::byte* to;
  };
  struct FromRead {
    std::size_t from;  ///< bytes from the beginning of what is read
    std::byte* to;
  };
  struct Read {
    std::uint64_t offset = 0;     ///< in the file
    std::size_t size = 0;         ///< bytes, no more than the reader's max_read_bytes
    std::size_t end_of_rows = 0;  ///< in from_file; the rows of a read follow those of the one before
  };
  std::vector<FromMemory> from_memory;
  std::vector<Read> reads;
  std::vector<FromRead> from_file;
};

/// Runs RowCopies one after another, as if each were done before the next begins: what one writes, the next may
/// read. Only their reads of the file overlap, so that the disk always has some under way. Without a file a
/// batch is copied by the thread that asks for it; with one, by a thread of the queue's own.
class RowCopyQueue {
 public:
  /// reader: null if nothing is ever read from a file.
  RowCopyQueue(std::unique_ptr<FileReader> reader, std::size_t row_bytes);
  ~RowCopyQueue();
  RowCopyQueue(const RowCopyQueue&) = delete;
  RowCopyQueue& operator=(const RowCopyQueue&) = delete;

  /// Returns at once. All places must stay until finish(), or until the queue is gone.
  void start(RowCopies copies);
  /// Waits for the oldest one that was started. Throws what reading threw; the queue is of no use after that.
  void finish();

 private:
  struct Job {
    RowCopies copies;
    std::size_t next_read = 0;       ///< to be started
    std::size_t num_read = 0;        ///< done and copied
    bool is_begun = false;           ///< its rows in memory are copied
    std::deque<FinishedRead> early;  ///< done before its turn
  };

  void work();
  /// Starts reads of the jobs from `first` on, as many as the reader takes.
  void start_reads();
  /// One read of whichever job; copies it if it is the first job's.
  void take_read();
  /// Copies what can be copied for the first job. Returns whether it is done.
  bool advance_first();
  void copy_rows(const RowCopies& copies) const;
  void copy_read(Job& job, const FinishedRead& read);

  std::unique_ptr<FileReader> reader_;
  std::size_t row_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<RowCopies> started_;  ///< and not yet taken by the thread
  std::size_t num_done_ = 0;       ///< and not yet finished
  std::exception_ptr error_;
  bool is_stopping_ = false;
  std::deque<Job> jobs_;            ///< the thread's own, the oldest first
  std::uint64_t first_serial_ = 0;  ///< of jobs_.front()
  std::thread thread_;
};

}  // namespace kith
