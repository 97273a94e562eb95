// An SQLite VFS that works until it is told to fail: the Nth sync from now, writes beyond a quota
// of bytes from now on, or beyond an end of the file; or to hold syncs up. Thread: the switches
// from any; SQLite calls it from its connections' threads.
#pragma once

#include <atomic>
#include <cstdint>

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
  // Writes fail with SQLITE_FULL that end behind this offset in their file; -1: no limit.
  void set_end(int64_t offset) { end_ = offset; }
  // From now on every sync waits, counted already, until they are not held any more,
  void hold_syncs(bool hold) {
    passes_ = hold ? 0 : INT64_MAX;
    passes_.notify_all();
  }
  // or until it is the next one that is let through.
  void let_sync_through() {
    ++passes_;
    passes_.notify_all();
  }
  // Begun, all in all.
  int64_t syncs() const { return syncs_; }

  // For the shim itself.
  bool sync_fails();
  bool write_fails(int64_t bytes, int64_t offset);

 private:
  FaultVfs();
  bool is_chosen();
  std::atomic<int64_t> syncs_left_{0};
  std::atomic<int64_t> burst_{1};
  std::atomic<int64_t> quota_{-1};
  std::atomic<int64_t> end_{-1};
  std::atomic<int64_t> passes_{INT64_MAX};
  std::atomic<int64_t> syncs_{0};
};

}  // namespace lattice::backends
