// Private to graph/: handles that close themselves over the HDF5 C API. The only file that includes <hdf5.h>.
#pragma once

#include <hdf5.h>

#include <mutex>
#include <utility>

#include "graph/errors.h"

namespace kith::hdf5 {

/// One user of the library at a time, and no error stack on stderr, as long as this lives. The library's state
/// is process-wide and only some builds guard it, so the mutex has to be process-wide too.
class Session {
 public:
  Session() : lock_(process_mutex()) {
    // HDF5 1.10 loses memory when a checksum of its metadata fails, then stumbles over that at exit and says so
    // on stderr. Every handle of ours is closed by then, so there is nothing to do at exit. A no after the
    // first call is of no interest.
    H5dont_atexit();
    KITH_CHECK(H5open() >= 0, EnvironmentError, "HDF5: the library does not start");
    has_saved_ = H5Eget_auto2(H5E_DEFAULT, &print_, &print_data_) >= 0;
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Session() {
    if (has_saved_) H5Eset_auto2(H5E_DEFAULT, print_, print_data_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

 private:
  static std::mutex& process_mutex() {
    static std::mutex mutex;
    return mutex;
  }

  std::unique_lock<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* print_data_ = nullptr;
  bool has_saved_ = false;
};

/// Owns one identifier; a negative one means that the call which made it failed.
template <herr_t (*Close)(hid_t)>
class Handle {
 public:
  Handle() = default;
  explicit Handle(hid_t id) : id_(id) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Handle() { close(); }

  hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

  /// False if closing failed, which for a file means that its metadata could not be written.
  bool close() {
    const hid_t id = std::exchange(id_, H5I_INVALID_HID);
    return id < 0 || Close(id) >= 0;
  }

 private:
  hid_t id_ = H5I_INVALID_HID;
};

using File = Handle<H5Fclose>;
using Object = Handle<H5Oclose>;
using DataSet = Handle<H5Dclose>;
using Space = Handle<H5Sclose>;
using Type = Handle<H5Tclose>;
using Attribute = Handle<H5Aclose>;
using Properties = Handle<H5Pclose>;

}  // namespace kith::hdf5
