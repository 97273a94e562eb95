// An SQLite VFS that works until it is told to fail: the Nth sync from now, or writes beyond a
// quota of bytes from now on. Thread: the switches from any; SQLite calls it from its connections'
// threads.
#pragma once

#include <atomic>
#include <string>

namespace lattice::backends {

class FaultVfs {
 public:
  // Registers it under name(), for the rest of the process.
  static FaultVfs& instance();
  static constexpr const char* name = "lattice-fault";

  // The `count`th sync from now fails with an I/O error, and so do the next `burst` - 1. 0: none.
  void fail_sync(int64_t count, int64_t burst = 1) {
    burst_ = burst;
    syncs_left_ = count;
  }
  // Writes fail with SQLITE_FULL when more than this many bytes were written; -1: no limit.
  void set_quota(int64_t bytes) { quota_ = bytes; }
  int64_t syncs() const { return syncs_; }

  // For the shim itself.
  bool sync_fails();
  bool write_fails(int64_t bytes);

 private:
  FaultVfs();
  std::atomic<int64_t> syncs_left_{0};
  std::atomic<int64_t> burst_{1};
  std::atomic<int64_t> quota_{-1};
  std::atomic<int64_t> syncs_{0};
};

}  // namespace lattice::backends
