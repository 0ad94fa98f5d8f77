#include "tests/support/cuda/emulated/streams.h"

#include <algorithm>
#include <utility>

namespace kith::emulation {

Streams::Streams() { streams_.push_back(std::make_shared<Stream>()); }

std::shared_ptr<Stream> Streams::make(bool is_blocking) {
  streams_.push_back(std::make_shared<Stream>());
  streams_.back()->is_blocking = is_blocking;
  return streams_.back();
}

void Streams::destroy(const std::shared_ptr<Stream>& stream) {
  wait(*stream);
  std::erase(streams_, stream);
}

void Streams::run_next(Stream& stream) {
  const std::function<void()> operation = std::move(stream.queue.front());
  stream.queue.pop_front();
  ++stream.num_done;
  operation();
}

void Streams::push(const std::shared_ptr<Stream>& stream, std::function<void()> operation) {
  stream->queue.push_back(std::move(operation));
  ++stream->num_issued;
}

void Streams::issue(const std::shared_ptr<Stream>& stream, std::function<void()> operation) {
  const auto follow = [&](const std::shared_ptr<Stream>& other) {
    if (other != stream && other->num_done < other->num_issued) {
      push(stream, [this, other, ticket = other->num_issued] { wait(*other, ticket); });
    }
  };
  if (stream == default_stream()) {
    for (const std::shared_ptr<Stream>& other : streams_) {
      if (other->is_blocking) {
        follow(other);
      }
    }
  } else if (stream->is_blocking) {
    follow(default_stream());
  }
  push(stream, std::move(operation));
  if (schedule == Schedule::immediate) {
    wait(*stream);
  }
}

void Streams::record(const std::shared_ptr<Stream>& stream, const std::shared_ptr<Event>& event) {
  // The event may be recorded again before the stream comes here, and then this record is no longer anybody's.
  issue(stream, [event, number = ++event->num_records] {
    if (event->num_records == number) {
      event->time = std::chrono::steady_clock::now();
    }
  });
  event->stream = stream;
  event->ticket = stream->num_issued;
}

void Streams::wait_event(const std::shared_ptr<Stream>& stream, const Event& event) {
  if (!event.is_done()) {
    issue(stream, [this, other = event.stream, ticket = event.ticket] { wait(*other, ticket); });
  }
}

void Streams::wait(Stream& stream, std::uint64_t ticket) {
  const bool is_outermost = !std::exchange(is_waiting_, true);
  struct Reset {
    bool& flag;
    bool value;
    ~Reset() { flag = value; }
  } reset{is_waiting_, !is_outermost};
  if (is_outermost && schedule == Schedule::early && stream.num_done < ticket) {
    for (std::size_t i = streams_.size(); i-- > 0;) {
      if (streams_[i].get() != &stream) {
        wait(*streams_[i]);
      }
    }
  }
  while (stream.num_done < ticket) {
    run_next(stream);
  }
}

void Streams::wait_all() {
  for (std::size_t i = streams_.size(); i-- > 0;) {
    wait(*streams_[i]);
  }
}

bool Streams::step(Stream& stream) {
  if (stream.queue.empty()) {
    return false;
  }
  run_next(stream);
  return true;
}

}  // namespace kith::emulation
