// What a run measures: latencies and counts within its window, failures over its whole length.
// Thread: the loader's only thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "load/histogram.h"

namespace lattice::load {

class Meter {
 public:
  // Called with "begin" and "end" as the window opens and closes.
  using Announce = void (*)(std::string_view);
  explicit Meter(Announce tell = nullptr) : announce_(tell) {}

  void open_window();
  void close_window();
  // By the time since the load began: opens the window behind the warm-up and closes it at its end.
  // True from then on.
  bool follow(double elapsed_seconds, double warmup_seconds, double duration_seconds);
  bool window_open() const { return began_ns_ != 0 && ended_ns_ == 0; }

  // One operation that took so long. Counted only within the window.
  void record(uint64_t latency_ns) {
    if (window_open()) histogram_.record(latency_ns);
  }
  // A failed check or call, at any time. Failures of one text are counted together.
  void fail(std::string_view why);

  const Histogram& histogram() const { return histogram_; }
  const std::map<std::string, uint64_t, std::less<>>& failures() const { return failures_; }
  // Up to now, while the window is open.
  double window_seconds() const;
  // Of this process, within the window: near 1 means that the loader was the limit.
  double loader_cpu_fraction() const;

 private:
  void announce(std::string_view what) const {
    if (announce_ != nullptr) announce_(what);
  }

  const Announce announce_;
  Histogram histogram_;
  std::map<std::string, uint64_t, std::less<>> failures_;
  uint64_t began_ns_ = 0;
  uint64_t ended_ns_ = 0;
  double cpu_seconds_ = 0;
};

}  // namespace lattice::load
