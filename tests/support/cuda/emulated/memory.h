// The allocations of the emulated device, and what guards them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace kith::emulation {

/// Fresh memory and guards hold one of two patterns. Each word of either is NaN for float, double, half and
/// bfloat16; as an integer the first is -2, the second large; and they differ in every byte, so that work which
/// depends on memory that nobody wrote gives two results.
enum class Pattern : std::uint8_t { first, second };
std::byte pattern_byte(Pattern pattern, std::size_t offset);
void paint(std::byte* data, std::size_t bytes, Pattern pattern);
bool holds_pattern(const std::byte* data, std::size_t bytes, Pattern pattern);

/// Exactly `bytes` bytes between two guards. Under AddressSanitizer any access to a guard is reported; without
/// it, check_guards() sees a write, and the pattern shows a read.
class GuardedBytes {
 public:
  explicit GuardedBytes(std::size_t bytes);
  ~GuardedBytes();
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  void paint_guards(Pattern pattern);
  /// Throws Violation where a guard is no longer as it was painted.
  void check_guards(const std::string& name) const;

 private:
  std::byte* block_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t tail_ = 0;  // bytes behind the data
  Pattern pattern_ = Pattern::first;
};

/// State of device memory with regard to the order of its stream.
enum class Life : std::uint8_t {
  promised,  ///< cudaMallocAsync has returned, its stream has not come there
  live,
  freed  ///< the stream has come to the free; kept for a while to see who still writes to it
};

struct Allocation {
  explicit Allocation(std::size_t bytes) : memory(bytes) {}
  std::string name() const;
  std::byte* data() const { return memory.data(); }
  std::size_t size() const { return memory.size(); }

  GuardedBytes memory;
  std::int64_t number = 0;  ///< counted from the last reset
  bool is_pinned = false;   ///< host memory: never painted anew, compared or hidden
  bool is_free_issued = false;
  Life life = Life::live;
  std::vector<std::uint8_t> fresh;  ///< 1 for each byte that nobody has written yet; empty = none
};

/// All allocations. The host may touch device memory only while a DeviceAccess lives.
class Memory {
 public:
  /// Null if the limit would be passed.
  Allocation* allocate(std::size_t bytes, Life life);
  Allocation& allocate_pinned(std::size_t bytes);
  /// The allocation that holds this address or whose guards do; null if none. Freed ones too.
  Allocation* find(const void* address) const;
  /// Throws Violation, in the name of `caller`, unless [data, data + bytes) lies in one allocation. Null for
  /// memory that is not an allocation.
  Allocation* check_range(const char* caller, const void* data, std::size_t bytes) const;
  void make_live(Allocation& allocation);
  void free(Allocation& allocation);
  void free_pinned(Allocation& allocation);
  void mark_written(Allocation& allocation, const void* data, std::size_t bytes);

  void register_host(const void* data, std::size_t bytes) { registered_[data] = bytes; }
  bool unregister_host(const void* data) { return registered_.erase(data) != 0; }
  /// Whether the host's memory there is pinned, and so read or written when the stream comes to it.
  bool is_pinned(const void* data) const;

  std::vector<Allocation*> live() const;  ///< device memory that kernels may touch
  void show() const;                      ///< to host and kernels
  void hide() const;
  void check_guards() const;

  std::size_t limit = std::size_t{1} << 30;
  std::size_t device_bytes = 0;
  std::size_t num_device = 0;
  std::size_t num_pinned = 0;

 private:
  Allocation& add(std::size_t bytes);
  void remove_oldest_freed();

  std::map<const void*, std::unique_ptr<Allocation>> allocations_;  // by address
  std::map<const void*, std::size_t> registered_;
  std::deque<Allocation*> freed_;  // oldest first
  std::size_t freed_bytes_ = 0;
  std::int64_t num_made_ = 0;
};

/// Device memory may be touched while one lives.
class DeviceAccess {
 public:
  explicit DeviceAccess(const Memory& memory) : memory_(memory) { memory_.show(); }
  ~DeviceAccess() { memory_.hide(); }
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;

 private:
  const Memory& memory_;
};

}  // namespace kith::emulation
