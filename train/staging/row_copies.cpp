#include "train/staging/row_copies.h"

#include <cassert>
#include <cstring>
#include <utility>

namespace kith {
namespace {

constexpr unsigned kReadBits = 32;  // of a tag; the serial number of the job is above them

}  // namespace

RowCopyQueue::RowCopyQueue(std::unique_ptr<FileReader> reader, std::size_t row_bytes)
    : reader_(std::move(reader)), row_bytes_(row_bytes) {
  if (reader_) thread_ = std::thread([this] { work(); });
}

RowCopyQueue::~RowCopyQueue() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void RowCopyQueue::start(RowCopies copies) {
  assert(reader_ || copies.reads.empty());
  {
    const std::lock_guard lock(mutex_);
    started_.push_back(std::move(copies));
  }
  changed_.notify_all();
}

void RowCopyQueue::finish() {
  if (!reader_) {
    copy_rows(started_.front());
    started_.pop_front();
    return;
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return num_done_ > 0 || error_; });
  if (num_done_ == 0) std::rethrow_exception(error_);
  --num_done_;
}

void RowCopyQueue::work() {
  try {
    while (true) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return is_stopping_ || !started_.empty() || !jobs_.empty(); });
        if (is_stopping_) return;
        for (; !started_.empty(); started_.pop_front()) {
          jobs_.emplace_back();
          jobs_.back().copies = std::move(started_.front());
        }
      }
      start_reads();
      while (!jobs_.empty() && advance_first()) {
        jobs_.pop_front();
        ++first_serial_;
        {
          const std::lock_guard lock(mutex_);
          ++num_done_;
        }
        changed_.notify_all();
      }
      start_reads();  // of buffers that came back
      if (!jobs_.empty()) take_read();
    }
  } catch (...) {
    {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
    }
    changed_.notify_all();
  }
}

void RowCopyQueue::start_reads() {
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    Job& job = jobs_[i];
    for (; job.next_read < job.copies.reads.size(); ++job.next_read) {
      if (!reader_->can_start()) return;
      const RowCopies::Read& read = job.copies.reads[job.next_read];
      reader_->start(read.offset, read.size, (first_serial_ + i) << kReadBits | job.next_read);
    }
  }
}

void RowCopyQueue::take_read() {
  // The first job lacks reads, and they were started before all later ones: one is under way.
  const FinishedRead read = reader_->wait();
  const std::uint64_t job = (read.tag >> kReadBits) - first_serial_;
  if (job == 0) {
    copy_read(jobs_.front(), read);
  } else {
    jobs_[job].early.push_back(read);
  }
}

bool RowCopyQueue::advance_first() {
  Job& job = jobs_.front();
  if (!std::exchange(job.is_begun, true)) copy_rows(job.copies);
  for (; !job.early.empty(); job.early.pop_front()) copy_read(job, job.early.front());
  return job.num_read == job.copies.reads.size();
}

void RowCopyQueue::copy_rows(const RowCopies& copies) const {
  for (const auto& [from, to] : copies.from_memory) std::memcpy(to, from, row_bytes_);
}

void RowCopyQueue::copy_read(Job& job, const FinishedRead& read) {
  const auto index = static_cast<std::size_t>(read.tag & ((std::uint64_t{1} << kReadBits) - 1));
  const std::vector<RowCopies::Read>& reads = job.copies.reads;
  const std::size_t begin = index == 0 ? 0 : reads[index - 1].end_of_rows;
  for (std::size_t i = begin; i < reads[index].end_of_rows; ++i) {
    const auto& [from, to] = job.copies.from_file[i];
    std::memcpy(to, read.bytes.data() + from, row_bytes_);
  }
  reader_->give_back(read);
  ++job.num_read;
}

}  // namespace kith
