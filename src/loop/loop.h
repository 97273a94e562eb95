// One thread's event loop: libevent behind four verbs. Everything that lives on a loop is touched
// only by that loop's thread; the one cross-thread verb is post().
//
// Thread: post() and stop() from any thread, all else from the loop's own (checked). Before run()
//   starts and after it has returned, the loop belongs to whoever holds it.
// Ownership: the loop owns its timers' and sockets' registrations through the handles it gave out;
//   the handles die before it (checked).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/time.h"

struct event_base;

namespace lattice::loop {

using Task = absl::AnyInvocable<void()>;

// Destroying it cancels; its callback then never runs.
class TimerHandle {
 public:
  virtual ~TimerHandle() = default;
};

// Readiness of one file descriptor. The descriptor stays the caller's.
class FdWatch {
 public:
  virtual ~FdWatch() = default;
  virtual void want(bool read, bool write) = 0;
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until stop(); returns when the tasks posted before stop() have run.
  void run();
  void stop();
  // One turn without waiting: what is ready now, posted tasks, due timers, the end of the turn. For
  // tests and fuzzers, which drive a loop by hand.
  void turn();
  // Runs `task` on the loop's thread, in the order of posting per poster. Wake-ups are coalesced:
  // many posts to a busy loop cost one write to its eventfd.
  void post(Task task);
  // Runs `task` at the end of the current turn, after everything that the turn's descriptors
  // brought. Tasks deferred while those run belong to the same end of turn.
  void defer(Task task);
  bool in_loop_thread() const;

  // CLOCK_BOOTTIME, read at most once per turn by now(), every time by fresh_now().
  Instant now() const;
  Instant fresh_now() const;
  // How long the calling thread has had the processor: a system call.
  static Duration thread_time();

  // Fires once, never early, on the clock of now(). Both handles may be destroyed in their own
  // callback.
  [[nodiscard]] std::unique_ptr<TimerHandle> after(Duration delay, Task callback);
  [[nodiscard]] std::unique_ptr<FdWatch> watch(
      int fd, absl::AnyInvocable<void(bool readable, bool writable)> callback);

  // For libraries that register with libevent themselves.
  event_base* base();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lattice::loop
