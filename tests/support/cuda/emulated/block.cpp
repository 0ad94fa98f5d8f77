#include "tests/support/cuda/emulated/block.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <string>

#include "tests/support/cuda/emulated/fiber.h"
#include "tests/support/cuda/emulated/together.h"
#include "tests/support/cuda/emulated/violation.h"

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace kith::emulation {

namespace {

enum class State : std::uint8_t { fresh, ready, at_barrier, in_warp, done };

struct Thread {
  State state = State::fresh;
  std::unique_ptr<Fiber> fiber;
  bool predicate = false;      // at_barrier
  WarpCall call;               // in_warp
  std::uint64_t result = 0;    // of the warp's last call
  std::source_location where;  // at_barrier, in_warp
};

struct Block {
  const std::function<void()>* body = nullptr;
  std::vector<Thread> threads;
  unsigned num_alive = 0;
  unsigned num_at_barrier = 0;
  BarrierResult barrier;         // of the last one
  unsigned current = 0;          // the thread that runs
  std::vector<unsigned> places;  // of each thread in the order
  unsigned next = 0;             // nobody before this place in the order can run
  std::exception_ptr failure;
};

// Kernels run one at a time, under the lock of the runtime: so one block, and stacks that blocks share.
Block* running_block = nullptr;
std::vector<std::unique_ptr<Fiber>>& spare_fibers() {
  static std::vector<std::unique_ptr<Fiber>> fibers;
  return fibers;
}

void release(Block& block, Thread& thread) {
  thread.state = State::ready;
  block.next = std::min(block.next, block.places[static_cast<std::size_t>(&thread - block.threads.data())]);
}

// The lanes of the warp that begins at thread `first` whose state is `state`, as a mask.
template <typename Condition>
unsigned lanes_where(const Block& block, unsigned first, Condition condition) {
  unsigned mask = 0;
  for (unsigned lane = 0; lane < kWarpSize && first + lane < block.threads.size(); ++lane) {
    mask |= condition(block.threads[first + lane]) ? 1U << lane : 0U;
  }
  return mask;
}

std::uint64_t combine(WarpOp op, std::uint64_t a, std::uint64_t b) {
  const auto x = static_cast<std::uint32_t>(a);
  const auto y = static_cast<std::uint32_t>(b);
  const auto signed_x = static_cast<std::int32_t>(x);
  const auto signed_y = static_cast<std::int32_t>(y);
  switch (op) {
    case WarpOp::reduce_add:
      return x + y;
    case WarpOp::reduce_min_signed:
      return static_cast<std::uint32_t>(std::min(signed_x, signed_y));
    case WarpOp::reduce_max_signed:
      return static_cast<std::uint32_t>(std::max(signed_x, signed_y));
    case WarpOp::reduce_min_unsigned:
      return std::min(x, y);
    case WarpOp::reduce_max_unsigned:
      return std::max(x, y);
    case WarpOp::reduce_and:
      return x & y;
    case WarpOp::reduce_or:
      return x | y;
    default:
      return x ^ y;
  }
}

// What lane `lane` gets when the lanes of `together` have come.
std::uint64_t warp_result(const Thread* warp, unsigned together, unsigned lane) {
  const WarpCall& call = warp[lane].call;
  std::uint64_t result = 0;
  bool is_first = true;
  switch (call.op) {
    case WarpOp::sync:
      return 0;
    case WarpOp::shuffle:
      if ((call.mask >> call.source & 1U) == 0) {
        violate("shuffle: lane ", lane, " reads lane ", call.source, ", which is not in its mask ", std::hex,
                std::showbase, call.mask, ", at ", where_text(warp[lane].where));
      }
      if ((together >> call.source & 1U) == 0) {
        violate("shuffle: lane ", lane, " reads lane ", call.source,
                ", which has returned or does not exist, at ", where_text(warp[lane].where));
      }
      return warp[call.source].call.value;
    default:
      for (unsigned other = 0; other < kWarpSize; ++other) {
        if ((together >> other & 1U) == 0) {
          continue;
        }
        const std::uint64_t value = warp[other].call.value;
        if (call.op == WarpOp::ballot) {
          result |= value != 0 ? 1U << other : 0U;
        } else if (call.op == WarpOp::match) {
          result |= value == call.value ? 1U << other : 0U;
        } else {
          result = is_first ? value : combine(call.op, result, value);
        }
        is_first = false;
      }
      return result;
  }
}

// Lets the lanes that wait with `call` go on if all of them are there.
void complete_warp(Block& block, unsigned first, const WarpCall& call) {
  const auto is_alive = [](const Thread& thread) { return thread.state != State::done; };
  const auto has_come = [&](const Thread& thread) {
    return thread.state == State::in_warp && thread.call.op == call.op && thread.call.mask == call.mask;
  };
  const unsigned expected = lanes_where(block, first, is_alive) & call.mask;
  if ((lanes_where(block, first, has_come) & call.mask) != expected) {
    return;
  }
  Thread* warp = &block.threads[first];
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if ((expected >> lane & 1U) != 0) {
      warp[lane].result = warp_result(warp, expected, lane);
    }
  }
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if ((expected >> lane & 1U) != 0) {
      release(block, warp[lane]);
    }
  }
}

// Lets the threads at the barrier go on if all that have not returned are there.
void complete_barrier(Block& block) {
  if (block.num_at_barrier == 0 || block.num_at_barrier < block.num_alive) {
    return;
  }
  block.barrier = {};
  const Thread* first = nullptr;
  for (Thread& thread : block.threads) {
    if (thread.state != State::at_barrier) {
      continue;
    }
    first = first == nullptr ? &thread : first;
    if (thread.where.line() != first->where.line() || thread.where.column() != first->where.column()) {
      violate("divergent barrier: thread ", first - block.threads.data(), " waits at ",
              where_text(first->where), ", thread ", &thread - block.threads.data(), " at ",
              where_text(thread.where));
    }
    block.barrier.num_true += thread.predicate ? 1 : 0;
    ++block.barrier.num_threads;
    release(block, thread);
  }
  block.num_at_barrier = 0;
}

// A thread that returns may be the one that others waited for.
void complete_without(Block& block, unsigned index) {
  complete_barrier(block);
  const unsigned first = index - index % kWarpSize;
  for (unsigned lane = 0; lane < kWarpSize && first + lane < block.threads.size(); ++lane) {
    const Thread& thread = block.threads[first + lane];
    if (thread.state == State::in_warp) {
      complete_warp(block, first, thread.call);
    }
  }
}

void run_body(void* argument) {
  Block& block = *static_cast<Block*>(argument);
  try {
    (*block.body)();
  } catch (...) {
    block.failure = std::current_exception();
  }
}

uint3 index_in(dim3 block, unsigned thread) {
  return {thread % block.x, thread / block.x % block.y, thread / block.x / block.y};
}

void run_thread(Block& block, unsigned index) {
  Thread& thread = block.threads[index];
  block.current = index;
  threadIdx = index_in(blockDim, index);
  if (thread.state == State::fresh) {
    if (spare_fibers().empty()) {
      spare_fibers().push_back(std::make_unique<Fiber>());
    }
    thread.fiber = std::move(spare_fibers().back());
    spare_fibers().pop_back();
    thread.fiber->start(&run_body, &block);
  }
  thread.state = State::ready;
  const bool has_ended = thread.fiber->resume();
  if (has_ended) {
    thread.state = State::done;
    --block.num_alive;
    spare_fibers().push_back(std::move(thread.fiber));
  }
  if (block.failure != nullptr) {
    std::rethrow_exception(block.failure);
  }
  if (has_ended) {
    complete_without(block, index);
  }
}

// One line for each group of threads that wait alike.
[[noreturn]] void report_deadlock(const Block& block) {
  std::string text = "deadlock:";
  std::string last;
  for (unsigned index = 0; index < block.threads.size(); ++index) {
    const Thread& thread = block.threads[index];
    if (thread.state == State::done) {
      continue;
    }
    const std::string line = thread.state == State::at_barrier
                                 ? concat(" waits for the block at ", where_text(thread.where))
                                 : concat(" waits for lanes ", std::hex, std::showbase, thread.call.mask,
                                          " of its warp at ", where_text(thread.where));
    if (line != last) {
      text += concat(" thread ", index, line, ";");
    }
    last = line;
  }
  text.pop_back();
  violate(text);
}

}  // namespace

BarrierResult block_barrier(bool predicate, const std::source_location& where) {
  Block& block = *running_block;
  Thread& self = block.threads[block.current];
  self.state = State::at_barrier;
  self.predicate = predicate;
  self.where = where;
  ++block.num_at_barrier;
  complete_barrier(block);
  Fiber::suspend();
  return block.barrier;
}

std::uint64_t warp_together(const WarpCall& call, const std::source_location& where) {
  Block& block = *running_block;
  const unsigned lane = lane_id();
  Thread& self = block.threads[block.current];
  if ((call.mask >> lane & 1U) == 0) {
    violate("warp: lane ", lane, " is not in its own mask ", std::hex, std::showbase, call.mask, " at ",
            where_text(where));
  }
  self.state = State::in_warp;
  self.call = call;
  self.where = where;
  complete_warp(block, block.current - lane, call);
  Fiber::suspend();
  return self.result;
}

unsigned check_width(int width, const std::source_location& where) {
  const bool is_power = width > 0 && width <= static_cast<int>(kWarpSize) && (width & (width - 1)) == 0;
  if (!is_power) {
    violate("shuffle: width must be a power of two up to 32, got ", width, " at ", where_text(where));
  }
  return static_cast<unsigned>(width);
}

unsigned lane_id() { return running_block->current % kWarpSize; }

void run_block(dim3 block_size, const std::vector<unsigned>& order, const std::function<void()>& body) {
  Block block;
  block.body = &body;
  block.threads.resize(order.size());
  block.num_alive = static_cast<unsigned>(order.size());
  block.places.resize(order.size());
  for (unsigned place = 0; place < order.size(); ++place) {
    block.places[order[place]] = place;
  }
  blockDim = block_size;
  // Threads that are left hanging by an error must not hang on the stacks of the next block.
  struct Guard {
    Block& block;
    ~Guard() {
      running_block = nullptr;
      for (Thread& thread : block.threads) {
        if (thread.fiber != nullptr) {
          thread.fiber->abandon();
          spare_fibers().push_back(std::move(thread.fiber));
        }
      }
    }
  } guard{block};
  running_block = &block;
  // Always the first thread in the order that can run: orders that are opposite stay so behind every barrier.
  while (block.num_alive > 0) {
    if (block.next == order.size()) {
      report_deadlock(block);
    }
    const unsigned index = order[block.next++];
    const State state = block.threads[index].state;
    if (state == State::fresh || state == State::ready) {
      run_thread(block, index);
    }
  }
}

}  // namespace kith::emulation
