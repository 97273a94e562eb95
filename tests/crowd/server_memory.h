// The resident memory of the server under test, from /proc. Thread: any.
#pragma once

#include <cstdint>

namespace lattice::crowd {

class ServerMemory {
 public:
  explicit ServerMemory(int pid) : pid_(pid) {}

  int64_t now_bytes() const { return field("VmRSS:"); }
  // The largest since reset_peak().
  int64_t peak_bytes() const { return field("VmHWM:"); }
  void reset_peak() const;

 private:
  int64_t field(const char* name) const;

  int pid_;
};

}  // namespace lattice::crowd
