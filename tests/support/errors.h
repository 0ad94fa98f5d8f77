// What a call throws, as text.
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace kith::test {

/// The text of the `ErrorType` that `call` throws; a test failure and "" if it throws nothing or something
/// else.
template <typename ErrorType, typename Call>
std::string error_of(Call&& call) {
  try {
    call();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const ErrorType& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another error was thrown: " << error.what();
  }
  return "";
}

}  // namespace kith::test
