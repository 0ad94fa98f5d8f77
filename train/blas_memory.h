// What a BLAS library needs of memory, while it can still be said that it is missing.
#pragma once

#include "kernels/backend.h"

namespace kith {

/// OpenBLAS reserves 128 MiB of addresses for each thread that multiplies, when it first does, and waits for
/// them for ever. So where a limit on addresses (ulimit -v) says how many there are, this has the threads of a
/// CPU backend reserve theirs now. Throws EnvironmentError if there is no room for all of them.
void reserve_blas_memory(Backend& backend);

}  // namespace kith
