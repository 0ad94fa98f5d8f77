#include "tests/support/cuda/emulated/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <new>

#include "tests/support/cuda/emulated/sanitizers.h"

#if !defined(__x86_64__) || defined(KITH_PORTABLE_FIBERS)
#include <ucontext.h>
#endif

namespace kith::emulation {

namespace {

constexpr std::size_t kStackBytes = std::size_t{256} << 10;

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

// Where a stack was left off. POSIX's swapcontext saves the signal mask with a system call, which is ten times
// the cost of everything else, and a block switches stacks at every barrier of every thread.
#if defined(__x86_64__) && !defined(KITH_PORTABLE_FIBERS)
extern "C" void kith_switch_stack(void** from, void* to);
__asm__(
    ".text\n.type kith_switch_stack, @function\nkith_switch_stack:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
    ".size kith_switch_stack, . - kith_switch_stack\n");

struct Place {
  void* pointer = nullptr;

  void make(std::byte* stack, void (*entry)()) {
    // Six registers, then where to return to; 8 bytes more leave the stack aligned as after a call.
    auto* top = reinterpret_cast<void**>(stack + kStackBytes);
    top[-1] = nullptr;
    top[-2] = reinterpret_cast<void*>(entry);
    for (int i = 3; i <= 8; ++i) {
      top[-i] = nullptr;
    }
    pointer = top - 8;
  }
  static void go(Place& from, Place& to) { kith_switch_stack(&from.pointer, to.pointer); }
};
#else
struct Place {
  ucontext_t context{};

  void make(std::byte* stack, void (*entry)()) {
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = kStackBytes;
    makecontext(&context, entry, 0);
  }
  static void go(Place& from, Place& to) { swapcontext(&from.context, &to.context); }
};
#endif

}  // namespace

// Where a stack was left, and what the sanitizers want to know of both sides of a switch.
struct FiberContext {
  Place place;
  const void* stack = nullptr;
  std::size_t stack_bytes = 0;
  void* fake_stack = nullptr;
  void* thread_state = nullptr;
};

namespace {

// One fiber runs at a time, and comes back to whoever resumed it.
Fiber* running = nullptr;
FiberContext scheduler;

// Comes back when somebody goes to `from` again.
void go([[maybe_unused]] FiberContext& from, FiberContext& to, [[maybe_unused]] bool for_ever = false) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(for_ever ? nullptr : &from.fake_stack, to.stack, to.stack_bytes);
#elif defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(to.thread_state, 0);
#endif
  Place::go(from.place, to.place);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

}  // namespace

Fiber::Fiber() : context_(std::make_unique<FiberContext>()) {
  const std::size_t guard = page_bytes();
  void* memory =
      mmap(nullptr, kStackBytes + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::bad_alloc();
  }
  stack_ = static_cast<std::byte*>(memory) + guard;
  mprotect(stack_, kStackBytes, PROT_READ | PROT_WRITE);
  context_->stack = stack_;
  context_->stack_bytes = kStackBytes;
#if defined(__SANITIZE_THREAD__)
  context_->thread_state = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
  abandon();
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(context_->thread_state);
#endif
  const std::size_t guard = page_bytes();
  munmap(stack_ - guard, kStackBytes + 2 * guard);
}

void Fiber::start(void (*body)(void*), void* argument) {
  body_ = body;
  argument_ = argument;
  has_ended_ = false;
  context_->place.make(stack_, &Fiber::enter);
}

bool Fiber::resume() {
  running = this;
#if defined(__SANITIZE_THREAD__)
  scheduler.thread_state = __tsan_get_current_fiber();
#endif
  go(scheduler, *context_);
  running = nullptr;
  return has_ended_;
}

void Fiber::suspend() { go(*running->context_, scheduler); }

void Fiber::enter() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &scheduler.stack, &scheduler.stack_bytes);
#endif
  running->body_(running->argument_);
  running->has_ended_ = true;
  go(*running->context_, scheduler, /*for_ever=*/true);
  __builtin_unreachable();
}

void Fiber::abandon() {
  if (!has_ended_) {
    has_ended_ = true;
    unpoison(stack_, kStackBytes);  // the frames that lie there will not clean up after themselves
#if defined(__SANITIZE_THREAD__)
    __tsan_destroy_fiber(context_->thread_state);
    context_->thread_state = __tsan_create_fiber(0);
#endif
  }
}

}  // namespace kith::emulation
