// How much memory there is, to say so before it is missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kith {

/// Bytes that this process may still take: what Linux calls available, and free swap; or less, where a control
/// group (v1 or v2) or a limit on addresses allows less. Nothing where the system says neither. root: of the
/// file system that is asked.
std::optional<std::int64_t> available_memory(const std::string& root = "/");

/// Bytes of addresses that a limit on them (ulimit -v) still allows: for what is mapped, which takes addresses
/// but need not stay in memory. Nothing without such a limit. root: as above.
std::optional<std::int64_t> available_addresses(const std::string& root = "/");

/// Throws EnvironmentError, "<who> needs about N MiB of memory, M MiB are available; <remedy>", if `needed`
/// bytes are more than `available`, or than it is known.
void require_memory(std::int64_t needed, std::string_view who, std::string_view remedy,
                    std::optional<std::int64_t> available = available_memory());

}  // namespace kith
