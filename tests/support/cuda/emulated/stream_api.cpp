// Streams and events.
#include "tests/support/cuda/emulated/runtime.h"

using namespace kith::emulation;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return api_call([&](Runtime& runtime) {
    const std::shared_ptr<Stream> made = runtime.streams.make((flags & cudaStreamNonBlocking) == 0);
    *stream = reinterpret_cast<cudaStream_t>(made.get());
    runtime.stream_handles.emplace(*stream, made);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return api_call([&](Runtime&) {
    *least = 0;
    *greatest = -5;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return release_call([&](Runtime& runtime) {
    const std::shared_ptr<Stream> found = stream_of(stream);
    runtime.stream_handles.erase(stream);
    runtime.streams.destroy(found);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    runtime.streams.wait(*stream_of(stream));
    return cudaSuccess;
  });
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    return runtime.streams.step(*stream_of(stream)) ? cudaErrorNotReady : cudaSuccess;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  return api_call([&](Runtime& runtime) {
    runtime.streams.wait_event(stream_of(stream), *event_of(event));
    return cudaSuccess;
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* argument) {
  return api_call([&](Runtime& runtime) {
    runtime.streams.issue(stream_of(stream), [=] { function(argument); });
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSetAttribute(cudaStream_t stream, cudaStreamAttrID, const cudaStreamAttrValue* value) {
  return api_call([&](Runtime& runtime) {
    stream_of(stream);
    const cudaAccessPolicyWindow& window = value->accessPolicyWindow;
    const bool fits =
        window.num_bytes <= static_cast<std::size_t>(runtime.properties.accessPolicyMaxWindowSize) &&
        window.hitRatio >= 0 && window.hitRatio <= 1;
    return fits ? cudaSuccess : cudaErrorInvalidValue;
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return api_call([&](Runtime& runtime) {
    const auto made = std::make_shared<Event>();
    made->has_timing = (flags & cudaEventDisableTiming) == 0;
    *event = reinterpret_cast<cudaEvent_t>(made.get());
    runtime.event_handles.emplace(*event, made);
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return release_call([&](Runtime& runtime) {
    event_of(event);
    runtime.event_handles.erase(event);
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    runtime.streams.record(stream_of(stream), event_of(event));
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return api_call([&](Runtime& runtime) {
    const std::shared_ptr<Event> found = event_of(event);
    if (!found->is_done()) {
      runtime.streams.wait(*found->stream, found->ticket);
    }
    return cudaSuccess;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return api_call([&](Runtime& runtime) {
    const std::shared_ptr<Event> found = event_of(event);
    return !found->is_done() && runtime.streams.step(*found->stream) ? cudaErrorNotReady : cudaSuccess;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return api_call([&](Runtime&) {
    const std::shared_ptr<Event> from = event_of(start);
    const std::shared_ptr<Event> to = event_of(end);
    if (!from->has_timing || !to->has_timing || from->stream == nullptr || to->stream == nullptr) {
      return cudaErrorInvalidResourceHandle;
    }
    if (!from->is_done() || !to->is_done()) {
      return cudaErrorNotReady;
    }
    *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
    return cudaSuccess;
  });
}
