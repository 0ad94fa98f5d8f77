// An operator new that can be told to fail. The C libraries underneath (HDF5, METIS, libzip) use malloc and are
// not reached by it.
#pragma once

#include <cstdint>

namespace kith::test {

inline constexpr std::int64_t kNever = -1;

/// Lets the allocation number `place` from now on, from 0, of any thread fail, and no other; kNever: none.
void fail_allocation(std::int64_t place);

/// Whether it was reached.
bool has_failed();

}  // namespace kith::test
