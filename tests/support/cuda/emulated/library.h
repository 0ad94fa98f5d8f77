// What the emulated cuBLAS, cuSPARSE and CUB share.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tests/support/cuda/emulated/runtime.h"
#include "tests/support/cuda/emulated/small_floats.h"

namespace kith::emulation {

/// A number in device memory of any of the types that libraries take.
double read_number(const void* data, cudaDataType type, std::int64_t index);
void write_number(void* data, cudaDataType type, std::int64_t index, double value);
bool is_number_type(cudaDataType type);

/// Handles and descriptors count as in use until they are destroyed.
template <typename T>
void add_handle(T* handle) {
  runtime().library_handles.insert(handle);
}

/// Destroys it; Violation if it is not one that is in use.
template <typename T>
void remove_handle(const char* caller, T* handle) {
  if (runtime().library_handles.erase(handle) == 0) {
    violate(caller, ": a handle that was never made or has been destroyed");
  }
  delete handle;
}

/// The handle itself; Violation if it is not one that is in use.
template <typename T>
T& checked_handle(const char* caller, T* handle) {
  if (runtime().library_handles.count(handle) == 0) {
    violate(caller, ": a handle that was never made or has been destroyed");
  }
  return *handle;
}

}  // namespace kith::emulation
