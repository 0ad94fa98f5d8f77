#include "train/checkpoint/checkpoint_writer.h"

#include <exception>
#include <utility>

#include "train/stopwatch.h"

namespace kith {

CheckpointWriter::CheckpointWriter(CheckpointFolder folder, std::function<void(const std::string&)> on_failure)
    : folder_(std::move(folder)), on_failure_(std::move(on_failure)), thread_([this] { work(); }) {}

CheckpointWriter::~CheckpointWriter() {
  wait();
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void CheckpointWriter::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !pending_; });
}

void CheckpointWriter::write(Checkpoint checkpoint) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !pending_; });
    pending_ = std::move(checkpoint);
  }
  changed_.notify_all();
}

void CheckpointWriter::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return pending_ || is_stopping_; });
    if (!pending_) return;
    lock.unlock();  // nobody else touches a checkpoint that is pending
    write_one(*pending_);
    lock.lock();
    pending_.reset();
    changed_.notify_all();
  }
}

void CheckpointWriter::write_one(const Checkpoint& checkpoint) {
  const Stopwatch watch;
  std::string path, failure;
  try {
    path = folder_.write(checkpoint);
  } catch (const std::exception& error) {
    failure = error.what();
  }
  if (!failure.empty()) on_failure_(failure);
  const std::lock_guard lock(mutex_);
  seconds_ += watch.seconds();
  if (!failure.empty()) return;
  ++num_written_;
  last_path_ = path;
}

std::int64_t CheckpointWriter::num_written() {
  const std::lock_guard lock(mutex_);
  return num_written_;
}

double CheckpointWriter::seconds() {
  const std::lock_guard lock(mutex_);
  return seconds_;
}

std::string CheckpointWriter::last_path() {
  const std::lock_guard lock(mutex_);
  return last_path_;
}

}  // namespace kith
