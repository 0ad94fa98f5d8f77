// Allocations and copies.
#include <algorithm>
#include <cstring>
#include <new>

#include "tests/support/cuda/emulated/runtime.h"

using namespace kith::emulation;

namespace {

/// Where a pointer leads, as a copy sees it.
struct Place {
  Allocation* allocation = nullptr;
  bool is_device = false;
  bool is_pinned = false;
};

Place place_of(const char* caller, const void* data, std::size_t bytes) {
  const Memory& memory = runtime().memory;
  Allocation* allocation = memory.check_range(caller, data, bytes);
  return {.allocation = allocation,
          .is_device = allocation != nullptr && !allocation->is_pinned,
          .is_pinned = memory.is_pinned(data)};
}

void check_kind(const char* caller, const Place& to, const Place& from, cudaMemcpyKind kind) {
  const bool is_right =
      kind == cudaMemcpyDefault ||
      kind == (from.is_device ? to.is_device ? cudaMemcpyDeviceToDevice : cudaMemcpyDeviceToHost
               : to.is_device ? cudaMemcpyHostToDevice
                              : cudaMemcpyHostToHost);
  if (!is_right) {
    violate(caller, ": from ", from.is_device ? "device" : "host", " to ", to.is_device ? "device" : "host",
            " memory, but its kind is ", static_cast<int>(kind));
  }
}

void check_live(const char* caller, const Place& place) {
  if (place.is_device && place.allocation->life == Life::promised) {
    violate(caller, ": the stream that allocates ", place.allocation->name(), " has not come there");
  }
}

// When the stream comes to a copy. `from` may also be a private copy of pageable memory.
void copy_now(const char* caller, void* to, const void* from, std::size_t bytes) {
  const Place to_place = place_of(caller, to, bytes);
  const Place from_place = place_of(caller, from, bytes);
  check_live(caller, to_place);
  check_live(caller, from_place);
  const DeviceAccess access(runtime().memory);
  std::memcpy(to, from, bytes);
  if (!to_place.is_device) {
    return;
  }
  const std::vector<std::uint8_t> no_flags;
  const std::vector<std::uint8_t>& from_fresh = from_place.is_device ? from_place.allocation->fresh : no_flags;
  if (from_fresh.empty()) {
    runtime().memory.mark_written(*to_place.allocation, to, bytes);
    return;
  }
  // A copy of what nobody has written is still that.
  std::vector<std::uint8_t>& to_fresh = to_place.allocation->fresh;
  to_fresh.resize(to_place.allocation->size(), 0);
  const auto begin = from_fresh.begin() + (static_cast<const std::byte*>(from) - from_place.allocation->data());
  std::copy_n(begin, bytes, to_fresh.begin() + (static_cast<std::byte*>(to) - to_place.allocation->data()));
}

void issue_copy(const char* caller, void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                const std::shared_ptr<Stream>& stream) {
  const Place to_place = place_of(caller, to, bytes);
  const Place from_place = place_of(caller, from, bytes);
  check_kind(caller, to_place, from_place, kind);
  if (bytes == 0) {
    return;
  }
  Streams& streams = runtime().streams;
  if (!from_place.is_device && !from_place.is_pinned) {
    // Pageable memory is read before the call returns.
    const auto* begin = static_cast<const std::byte*>(from);
    streams.issue(stream, [=, values = std::vector<std::byte>(begin, begin + bytes)] {
      copy_now(caller, to, values.data(), bytes);
    });
  } else {
    streams.issue(stream, [=] { copy_now(caller, to, from, bytes); });
  }
  if (!to_place.is_device && !to_place.is_pinned) {
    streams.wait(*stream);  // … and has been written when it does
  }
}

void fill_now(const char* caller, void* data, int value, std::size_t bytes) {
  const Place place = place_of(caller, data, bytes);
  check_live(caller, place);
  const DeviceAccess access(runtime().memory);
  std::memset(data, value, bytes);
  if (place.is_device) {
    runtime().memory.mark_written(*place.allocation, data, bytes);
  }
}

cudaError_t allocate(Runtime& runtime, void** data, std::size_t bytes, Life life) {
  *data = nullptr;
  if (bytes == 0) {
    return cudaSuccess;
  }
  Allocation* allocation = runtime.memory.allocate(bytes, life);
  if (allocation == nullptr) {
    runtime.streams.wait_all();  // memory may be free that a stream has yet to come to
    allocation = runtime.memory.allocate(bytes, life);
  }
  if (allocation == nullptr) {
    return cudaErrorMemoryAllocation;
  }
  runtime.high_water = std::max(runtime.high_water, runtime.memory.device_bytes);
  *data = allocation->data();
  return cudaSuccess;
}

/// The device allocation that begins at `data`; null if there is none.
Allocation* to_be_freed(const char* caller, const void* data) {
  Allocation* allocation = runtime().memory.find(data);
  if (allocation == nullptr || allocation->data() != data || allocation->is_pinned) {
    return nullptr;
  }
  if (allocation->is_free_issued) {
    violate(caller, ": ", allocation->name(), " has already been freed");
  }
  allocation->is_free_issued = true;
  return allocation;
}

}  // namespace

cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes) {
  return api_call([&](Runtime& runtime) {
    *total_bytes = runtime.memory.limit;
    *free_bytes = runtime.memory.limit - std::min(runtime.memory.limit, runtime.memory.device_bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaMalloc(void** data, std::size_t bytes) {
  return api_call([&](Runtime& runtime) { return allocate(runtime, data, bytes, Life::live); });
}

cudaError_t cudaFree(void* data) {
  return release_call([&](Runtime& runtime) {
    if (data == nullptr) {
      return cudaSuccess;
    }
    Allocation* allocation = to_be_freed("cudaFree", data);
    if (allocation == nullptr) {
      return cudaErrorInvalidValue;
    }
    runtime.streams.wait_all();
    runtime.memory.free(*allocation);
    return cudaSuccess;
  });
}

cudaError_t cudaMallocAsync(void** data, std::size_t bytes, cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    const cudaError_t error = allocate(runtime, data, bytes, Life::promised);
    if (error == cudaSuccess && *data != nullptr) {
      Allocation* allocation = runtime.memory.find(*data);
      runtime.streams.issue(stream_of(stream),
                            [&runtime, allocation] { runtime.memory.make_live(*allocation); });
    }
    return error;
  });
}

cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) {
  return release_call([&](Runtime& runtime) {
    if (data == nullptr) {
      return cudaSuccess;
    }
    Allocation* allocation = to_be_freed("cudaFreeAsync", data);
    if (allocation == nullptr) {
      return cudaErrorInvalidValue;
    }
    runtime.streams.issue(stream_of(stream), [&runtime, allocation] {
      check_live("cudaFreeAsync", {.allocation = allocation, .is_device = true});
      runtime.memory.free(*allocation);
    });
    return cudaSuccess;
  });
}

cudaError_t cudaHostAlloc(void** data, std::size_t bytes, unsigned) {
  return api_call([&](Runtime& runtime) {
    *data = bytes == 0 ? nullptr : runtime.memory.allocate_pinned(bytes).data();
    return cudaSuccess;
  });
}

cudaError_t cudaMallocHost(void** data, std::size_t bytes, unsigned flags) {
  return cudaHostAlloc(data, bytes, flags);
}

cudaError_t cudaFreeHost(void* data) {
  return release_call([&](Runtime& runtime) {
    if (data == nullptr) {
      return cudaSuccess;
    }
    Allocation* allocation = runtime.memory.find(data);
    if (allocation == nullptr || allocation->data() != data || !allocation->is_pinned) {
      return cudaErrorInvalidValue;
    }
    runtime.streams.wait_all();
    runtime.memory.free_pinned(*allocation);
    return cudaSuccess;
  });
}

cudaError_t cudaHostRegister(void* data, std::size_t bytes, unsigned) {
  return api_call([&](Runtime& runtime) {
    if (data == nullptr || bytes == 0) {
      return cudaErrorInvalidValue;
    }
    if (runtime.memory.is_pinned(data)) {
      return cudaErrorHostMemoryAlreadyRegistered;
    }
    runtime.memory.register_host(data, bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaHostUnregister(void* data) {
  return release_call([&](Runtime& runtime) {
    return runtime.memory.unregister_host(data) ? cudaSuccess : cudaErrorHostMemoryNotRegistered;
  });
}

cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned) {
  return api_call([&](Runtime& runtime) {
    *device = host;
    return runtime.memory.is_pinned(host) ? cudaSuccess : cudaErrorInvalidValue;
  });
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return api_call([&](Runtime& runtime) {
    const std::shared_ptr<Stream>& stream = runtime.streams.default_stream();
    issue_copy("cudaMemcpy", to, from, bytes, kind, stream);
    runtime.streams.wait(*stream);
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return api_call([&](Runtime&) {
    issue_copy("cudaMemcpyAsync", to, from, bytes, kind, stream_of(stream));
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  return api_call([&](Runtime&) {
    if (to_pitch < width || from_pitch < width) {
      return cudaErrorInvalidPitchValue;
    }
    for (std::size_t row = 0; row < height; ++row) {
      issue_copy("cudaMemcpy2D", static_cast<std::byte*>(to) + row * to_pitch,
                 static_cast<const std::byte*>(from) + row * from_pitch, width, kind, stream_of(stream));
    }
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpy2D(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                         std::size_t width, std::size_t height, cudaMemcpyKind kind) {
  const std::scoped_lock lock(runtime_mutex());
  const cudaError_t error = cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, width, height, kind, nullptr);
  runtime().streams.wait(*runtime().streams.default_stream());
  return error;
}

cudaError_t cudaMemset(void* data, int value, std::size_t bytes) {
  return cudaMemsetAsync(data, value, bytes, nullptr);
}

cudaError_t cudaMemsetAsync(void* data, int value, std::size_t bytes, cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    if (bytes == 0) {
      return cudaSuccess;
    }
    const Place place = place_of("cudaMemset", data, bytes);
    if (!place.is_device && !place.is_pinned) {
      return cudaErrorInvalidValue;
    }
    runtime.streams.issue(stream_of(stream), [=] { fill_now("cudaMemset", data, value, bytes); });
    return cudaSuccess;
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* data) {
  return api_call([&](Runtime&) {
    const Place place = place_of("cudaPointerGetAttributes", data, 1);
    auto* pointer = const_cast<void*>(data);
    *attributes = {.type = place.is_device   ? cudaMemoryTypeDevice
                           : place.is_pinned ? cudaMemoryTypeHost
                                             : cudaMemoryTypeUnregistered,
                   .device = 0,
                   .devicePointer = place.is_device || place.is_pinned ? pointer : nullptr,
                   .hostPointer = place.is_device ? nullptr : pointer};
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  return api_call([&](Runtime& runtime) {
    *pool = reinterpret_cast<cudaMemPool_t>(&runtime.memory);
    return device == 0 ? cudaSuccess : cudaErrorInvalidDevice;
  });
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr attribute, void* value) {
  return api_call([&](Runtime& runtime) {
    if (attribute == cudaMemPoolAttrReleaseThreshold) {
      runtime.release_threshold = *static_cast<std::uint64_t*>(value);
    } else if (attribute == cudaMemPoolAttrReservedMemHigh || attribute == cudaMemPoolAttrUsedMemHigh) {
      runtime.high_water = runtime.memory.device_bytes;  // CUDA allows nothing but a reset
    }
    return cudaSuccess;
  });
}

// The emulated pool keeps nothing in reserve.
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr attribute, void* value) {
  return api_call([&](Runtime& runtime) {
    auto* bytes = static_cast<std::uint64_t*>(value);
    switch (attribute) {
      case cudaMemPoolAttrReleaseThreshold:
        *bytes = runtime.release_threshold;
        return cudaSuccess;
      case cudaMemPoolAttrReservedMemCurrent:
      case cudaMemPoolAttrUsedMemCurrent:
        *bytes = runtime.memory.device_bytes;
        return cudaSuccess;
      case cudaMemPoolAttrReservedMemHigh:
      case cudaMemPoolAttrUsedMemHigh:
        *bytes = runtime.high_water;
        return cudaSuccess;
      default:
        *static_cast<int*>(value) = 1;  // the reuse policies, which are int
        return cudaSuccess;
    }
  });
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, std::size_t) {
  return api_call([](Runtime&) { return cudaSuccess; });
}
