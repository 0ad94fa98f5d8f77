// Queues of work. An operation of a stream runs when somebody waits for it, in the order that the schedule
// chooses.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "tests/support/cuda/emulation.h"

namespace kith::emulation {

struct Stream {
  bool is_blocking = true;  ///< ordered against the default stream
  std::deque<std::function<void()>> queue;
  std::uint64_t num_issued = 0;
  std::uint64_t num_done = 0;  ///< operations [0, num_done) have begun; the caller waits until they have run
};

struct Event {
  bool has_timing = true;
  std::shared_ptr<Stream> stream;  ///< where it was recorded last; null = never
  std::uint64_t ticket = 0;        ///< done once that many operations of the stream are
  std::uint64_t num_records = 0;
  std::chrono::steady_clock::time_point time;

  bool is_done() const { return stream == nullptr || stream->num_done >= ticket; }
};

class Streams {
 public:
  Schedule schedule = Schedule::late;

  Streams();
  const std::shared_ptr<Stream>& default_stream() const { return streams_.front(); }
  std::shared_ptr<Stream> make(bool is_blocking);
  /// Runs what is left first.
  void destroy(const std::shared_ptr<Stream>& stream);
  /// Puts an operation behind what the stream holds; work of the default stream also waits for all blocking
  /// streams and they for it.
  void issue(const std::shared_ptr<Stream>& stream, std::function<void()> operation);
  void record(const std::shared_ptr<Stream>& stream, const std::shared_ptr<Event>& event);
  /// Later work of the stream waits for the event as it is recorded now.
  void wait_event(const std::shared_ptr<Stream>& stream, const Event& event);
  /// Runs the first `ticket` operations of a stream and whatever they have to follow.
  void wait(Stream& stream, std::uint64_t ticket);
  void wait(Stream& stream) { wait(stream, stream.num_issued); }
  void wait_all();
  /// Runs one operation, so that somebody who asks again and again comes to an end. False if there was none.
  bool step(Stream& stream);

 private:
  void run_next(Stream& stream);
  void push(const std::shared_ptr<Stream>& stream, std::function<void()> operation);

  std::vector<std::shared_ptr<Stream>> streams_;  // the default one first
  bool is_waiting_ = false;
};

}  // namespace kith::emulation
