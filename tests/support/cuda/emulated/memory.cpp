#include "tests/support/cuda/emulated/memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "tests/support/cuda/emulated/sanitizers.h"
#include "tests/support/cuda/emulated/violation.h"

namespace kith::emulation {

namespace {

constexpr std::size_t kAlignment = 256;  // what cudaMalloc promises
// Rows beyond the end land in the guard too, not in the next allocation.
constexpr std::size_t kGuardBytes = 4096;
constexpr std::size_t kMaxFreedBytes = std::size_t{1} << 20;

constexpr unsigned char kPatterns[2][4] = {{0xfe, 0xff, 0xff, 0xff}, {0xfd, 0x7f, 0xfd, 0x7f}};

// Where the pattern is first broken; `bytes` if nowhere.
std::size_t broken_offset(const std::byte* data, std::size_t bytes, Pattern pattern) {
  if (holds_pattern(data, bytes, pattern)) {
    return bytes;
  }
  std::size_t offset = 0;
  while (data[offset] == pattern_byte(pattern, offset)) {
    ++offset;
  }
  return offset;
}

}  // namespace

std::byte pattern_byte(Pattern pattern, std::size_t offset) {
  return std::byte{kPatterns[static_cast<int>(pattern)][offset % 4]};
}

void paint(std::byte* data, std::size_t bytes, Pattern pattern) {
  std::size_t done = 0;
  for (; done < std::min<std::size_t>(bytes, 4); ++done) {
    data[done] = pattern_byte(pattern, done);
  }
  while (done < bytes) {  // twice as much each time
    const std::size_t more = std::min(done, bytes - done);
    std::memcpy(data + done, data, more);
    done += more;
  }
}

bool holds_pattern(const std::byte* data, std::size_t bytes, Pattern pattern) {
  for (std::size_t i = 0; i < std::min<std::size_t>(bytes, 4); ++i) {
    if (data[i] != pattern_byte(pattern, i)) {
      return false;
    }
  }
  return bytes <= 4 || std::memcmp(data, data + 4, bytes - 4) == 0;
}

GuardedBytes::GuardedBytes(std::size_t bytes) : size_(bytes) {
  const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  tail_ = rounded - bytes + kGuardBytes;
  block_ = static_cast<std::byte*>(std::aligned_alloc(kAlignment, kGuardBytes + rounded + kGuardBytes));
  if (block_ == nullptr) {
    throw std::bad_alloc();
  }
  data_ = block_ + kGuardBytes;
  paint_guards(Pattern::first);
  paint(data_, size_, Pattern::first);
  poison(block_, kGuardBytes);
  poison(data_ + size_, tail_);
}

GuardedBytes::~GuardedBytes() {
  unpoison(block_, kGuardBytes + size_ + tail_);
  std::free(block_);
}

void GuardedBytes::paint_guards(Pattern pattern) {
  if constexpr (!kAddressSanitizer) {
    pattern_ = pattern;
    paint(block_, kGuardBytes, pattern);
    paint(data_ + size_, tail_, pattern);
  }
}

void GuardedBytes::check_guards(const std::string& name) const {
  if constexpr (!kAddressSanitizer) {
    if (const std::size_t offset = broken_offset(data_ + size_, tail_, pattern_); offset < tail_) {
      violate("out of bounds: wrote ", offset, " bytes past the end of ", name);
    }
    if (const std::size_t offset = broken_offset(block_, kGuardBytes, pattern_); offset < kGuardBytes) {
      violate("out of bounds: wrote ", kGuardBytes - offset, " bytes before the start of ", name);
    }
  }
}

std::string Allocation::name() const {
  return concat(is_pinned ? "pinned" : "device", " allocation #", number, " (", size(), " bytes)");
}

Allocation& Memory::add(std::size_t bytes) {
  auto allocation = std::make_unique<Allocation>(bytes);
  allocation->number = num_made_++;
  Allocation& result = *allocation;
  allocations_.emplace(result.data(), std::move(allocation));
  return result;
}

Allocation* Memory::allocate(std::size_t bytes, Life life) {
  if (bytes > limit - std::min(limit, device_bytes)) {
    return nullptr;
  }
  Allocation& allocation = add(bytes);
  allocation.life = life;
  allocation.fresh.assign(bytes, 1);
  device_bytes += bytes;
  ++num_device;
  poison(allocation.data(), bytes);
  return &allocation;
}

Allocation& Memory::allocate_pinned(std::size_t bytes) {
  Allocation& allocation = add(bytes);
  allocation.is_pinned = true;
  ++num_pinned;
  return allocation;
}

Allocation* Memory::find(const void* address) const {
  const auto* at = static_cast<const std::byte*>(address);
  auto next = allocations_.upper_bound(address);
  if (next != allocations_.begin()) {
    const Allocation& before = *std::prev(next)->second;
    if (at < before.data() + before.size() + kGuardBytes) {
      return std::prev(next)->second.get();
    }
  }
  const bool is_just_before = next != allocations_.end() && at + kGuardBytes >= next->second->data();
  return is_just_before ? next->second.get() : nullptr;
}

Allocation* Memory::check_range(const char* caller, const void* data, std::size_t bytes) const {
  Allocation* allocation = find(data);
  if (allocation == nullptr || bytes == 0) {
    return allocation;
  }
  const auto* begin = static_cast<const std::byte*>(data);
  const std::byte* end = allocation->data() + allocation->size();
  if (begin < allocation->data() || begin > end || bytes > static_cast<std::size_t>(end - begin)) {
    violate(caller, ": ", bytes, " bytes at offset ", begin - allocation->data(), " of ", allocation->name(),
            " are out of bounds");
  }
  if (allocation->life == Life::freed) {
    violate(caller, ": ", allocation->name(), " has been freed");
  }
  return allocation;
}

void Memory::make_live(Allocation& allocation) { allocation.life = Life::live; }

void Memory::free(Allocation& allocation) {
  allocation.life = Life::freed;
  allocation.fresh = {};
  device_bytes -= allocation.size();
  --num_device;
  unpoison(allocation.data(), allocation.size());
  paint(allocation.data(), allocation.size(), Pattern::first);
  poison(allocation.data(), allocation.size());
  freed_.push_back(&allocation);
  freed_bytes_ += allocation.size();
  while (freed_bytes_ > kMaxFreedBytes) {
    remove_oldest_freed();
  }
}

void Memory::remove_oldest_freed() {
  const Allocation* oldest = freed_.front();
  freed_.pop_front();
  freed_bytes_ -= oldest->size();
  allocations_.erase(oldest->data());
}

void Memory::free_pinned(Allocation& allocation) {
  --num_pinned;
  allocations_.erase(allocation.data());
}

void Memory::mark_written(Allocation& allocation, const void* data, std::size_t bytes) {
  if (allocation.fresh.empty()) {
    return;
  }
  const auto begin = allocation.fresh.begin() + (static_cast<const std::byte*>(data) - allocation.data());
  std::fill(begin, begin + static_cast<std::ptrdiff_t>(bytes), std::uint8_t{0});
  if (std::memchr(allocation.fresh.data(), 1, allocation.fresh.size()) == nullptr) {
    allocation.fresh = {};
  }
}

bool Memory::is_pinned(const void* data) const {
  const Allocation* allocation = find(data);
  if (allocation != nullptr) {
    return allocation->is_pinned;
  }
  auto next = registered_.upper_bound(data);
  return next != registered_.begin() &&
         static_cast<const std::byte*>(data) <
             static_cast<const std::byte*>(std::prev(next)->first) + std::prev(next)->second;
}

std::vector<Allocation*> Memory::live() const {
  std::vector<Allocation*> result;
  for (const auto& [address, allocation] : allocations_) {
    if (!allocation->is_pinned && allocation->life == Life::live) {
      result.push_back(allocation.get());
    }
  }
  return result;
}

void Memory::show() const {
  for (const Allocation* allocation : live()) {
    unpoison(allocation->data(), allocation->size());
  }
}

void Memory::hide() const {
  for (const Allocation* allocation : live()) {
    poison(allocation->data(), allocation->size());
  }
}

void Memory::check_guards() const {
  for (const auto& [address, allocation] : allocations_) {
    allocation->memory.check_guards(allocation->name());
    if (kAddressSanitizer || allocation->life != Life::freed) {
      continue;
    }
    const std::size_t offset = broken_offset(allocation->data(), allocation->size(), Pattern::first);
    if (offset < allocation->size()) {
      violate("use after free: wrote at offset ", offset, " of ", allocation->name());
    }
  }
}

}  // namespace kith::emulation
