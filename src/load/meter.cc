#include "load/meter.h"

#include <sys/resource.h>

#include "load/clock.h"

namespace lattice::load {
namespace {

// Kinds of failure beyond this are lumped together: a server that answers nonsense must not fill
// the loader's memory with it.
constexpr size_t failure_kinds_max = 20;

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

void Meter::open_window() {
  announce("begin");
  cpu_seconds_ = own_cpu_seconds();
  began_ns_ = now_ns();
}

void Meter::close_window() {
  ended_ns_ = now_ns();
  cpu_seconds_ = own_cpu_seconds() - cpu_seconds_;
  announce("end");
}

bool Meter::follow(double elapsed_seconds, double warmup_seconds, double duration_seconds) {
  if (ended_ns_ != 0) return true;
  if (!window_open() && elapsed_seconds >= warmup_seconds) open_window();
  if (elapsed_seconds < warmup_seconds + duration_seconds) return false;
  close_window();
  return true;
}

void Meter::fail(std::string_view why) {
  auto found = failures_.find(why);
  if (found == failures_.end()) {
    const bool full = failures_.size() >= failure_kinds_max;
    found = failures_.try_emplace(full ? std::string("others") : std::string(why)).first;
  }
  ++found->second;
}

double Meter::window_seconds() const {
  const uint64_t until = window_open() ? now_ns() : ended_ns_;
  return static_cast<double>(until - began_ns_) * 1e-9;
}

double Meter::loader_cpu_fraction() const {
  return window_seconds() > 0 ? cpu_seconds_ / window_seconds() : 0;
}

}  // namespace lattice::load
