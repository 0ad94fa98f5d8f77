// Emulated: what a .cu file gets from CUDA, for the host compiler. README.md in this folder says what is
// checked.
#pragma once

#include <cuda_runtime_api.h>

#include "tests/support/cuda/emulated/atomics.h"
#include "tests/support/cuda/emulated/intrinsics.h"
#include "tests/support/cuda/emulated/together.h"
