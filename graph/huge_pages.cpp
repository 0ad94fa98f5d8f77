#include "graph/huge_pages.h"

#include <sys/mman.h>

#include <cstdint>

namespace kith {
namespace {

constexpr std::uintptr_t kHugeBytes = 2 << 20;
constexpr int kCollapse = 25;  // MADV_COLLAPSE, which older headers lack

}  // namespace

void use_huge_pages(const void* data, std::size_t num_bytes) {
  const auto first = (reinterpret_cast<std::uintptr_t>(data) + kHugeBytes - 1) / kHugeBytes * kHugeBytes;
  const auto last = (reinterpret_cast<std::uintptr_t>(data) + num_bytes) / kHugeBytes * kHugeBytes;
  if (first >= last) return;
  auto* const stretch = reinterpret_cast<void*>(first);
  // Results are ignored: slower pages are no error.
  (void)madvise(stretch, last - first, MADV_HUGEPAGE);
  (void)madvise(stretch, last - first, kCollapse);
}

}  // namespace kith
