// A stack of its own that the scheduler of a block switches to and from: one emulated CUDA thread.
#pragma once

#include <cstddef>
#include <memory>

namespace kith::emulation {

struct FiberContext;

/// Runs one body at a time. Only one fiber of the process runs at any time, and always to the thread that
/// resumed it does it come back. The stack lies between pages that must not be touched.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// The next resume() calls body(argument) on this stack; it must not throw.
  void start(void (*body)(void*), void* argument);
  /// Goes on until the body suspends or ends. True if it has ended.
  bool resume();
  /// Called from inside a body: back to whoever resumed it.
  static void suspend();
  /// Forgets a body that is suspended and will not be resumed.
  void abandon();

 private:
  static void enter();

  std::unique_ptr<FiberContext> context_;
  std::byte* stack_ = nullptr;
  void (*body_)(void*) = nullptr;
  void* argument_ = nullptr;
  bool has_ended_ = true;
};

}  // namespace kith::emulation
