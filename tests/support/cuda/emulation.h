// Controls of the emulated CUDA device, for tests. See README.md in this folder for what it catches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>

struct cudaDeviceProp;
enum cudaError : int;

namespace kith::emulation {

/// A defect of the code that runs on the device, or of its use: a race, a divergent barrier, a damaged guard, …
/// Thrown by the call that ran the work, which for asynchronous work is the one that waited for it.
class Violation : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// When work of a stream runs. All are orders that CUDA allows; code that is right gives the same with each.
enum class Schedule : std::uint8_t {
  late,      ///< when somebody waits for it, and of other streams only what it has to follow
  early,     ///< when somebody waits for anything, all that other streams can do comes first
  immediate  ///< when it is issued
};

/// Back to an unused device with the defaults below. Streams, events and memory of before are gone.
void reset();

void set_schedule(Schedule schedule);  ///< late unless set

/// In how many orders of threads and blocks a kernel runs, 1 to 16: ascending, descending, then seeded
/// shuffles. The results have to be the same to the byte. 2 unless set.
void set_num_orders(int num_orders);

/// Bytes that all device allocations together may have; 1 GiB unless set.
void set_memory_limit(std::size_t bytes);

/// Whether the machine has a device; true unless set.
void set_device_present(bool present);

/// The `nth` call from now that can fail (1 is the next) returns `error` and does nothing. Calls that free or
/// destroy something, and those that read errors, cannot. 0 switches this off.
void fail_call(std::int64_t nth, cudaError error);
/// Calls that can fail since reset(): what fail_call counts.
std::int64_t num_calls();

/// What cudaGetDeviceProperties and cudaDeviceGetAttribute say, to be changed at will (a small L2, say).
cudaDeviceProp& properties();

/// What has been made and not given back.
struct InUse {
  std::size_t allocations = 0;  ///< of device memory
  std::size_t device_bytes = 0;
  std::size_t pinned_allocations = 0;
  std::size_t streams = 0;
  std::size_t events = 0;
  std::size_t library_handles = 0;  ///< cuBLAS and cuSPARSE: handles and descriptors
};
InUse in_use();

/// Kernels and library calls that ran since reset(), each counted once.
std::int64_t num_launches();

}  // namespace kith::emulation
