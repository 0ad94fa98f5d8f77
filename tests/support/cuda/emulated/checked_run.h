// Runs device work in several orders from the same memory, and compares what it leaves behind.
#pragma once

#include <functional>
#include <vector>

#include "tests/support/cuda/emulated/memory.h"
#include "tests/support/cuda/emulated/violation.h"

namespace kith::emulation {

/// How one run goes through blocks, and through the threads of a block.
struct Order {
  int number = 0;                    ///< 0 ascending, 1 descending, else shuffled with this seed
  Pattern pattern = Pattern::first;  ///< what memory holds that nobody has written

  /// The numbers 0 to count - 1.
  std::vector<unsigned> sequence(unsigned count) const;
};

/// Calls body once an order. Throws Violation if device memory afterwards is not the same to the byte, if a
/// guard was written to, or if the result depends on memory that nobody wrote.
void run_checked(Memory& memory, const Activity& activity, int num_orders,
                 const std::function<void(const Order&)>& body);

}  // namespace kith::emulation
