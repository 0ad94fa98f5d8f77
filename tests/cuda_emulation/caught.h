// How a test says that a defect is reported, by Violation or by AddressSanitizer.
#pragma once

#include <cstdlib>
#include <iostream>

#include "tests/cuda_emulation/device_array.h"

namespace kith::emulation {

/// Runs in the child of a death test: ends the process if the defect is seen.
template <typename Body>
void die_if_caught(Body body) {
  try {
    body();
    cudaDeviceSynchronize();
  } catch (const Violation& violation) {
    std::cerr << violation.what() << "\n";
    std::abort();
  }
}

}  // namespace kith::emulation

/// The defect in `statement` ends the process with a message that matches the regular expression `message`.
#define EXPECT_CAUGHT(statement, message) \
  EXPECT_DEATH(::kith::emulation::die_if_caught([&] { statement; }), message)

/// `statement` throws a Violation whose message holds `text`.
#define EXPECT_VIOLATION(statement, text) \
  EXPECT_THAT([&] { statement; },         \
              ::testing::ThrowsMessage<::kith::emulation::Violation>(::testing::HasSubstr(text)))
