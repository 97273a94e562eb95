#include "loop/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <utility>

#include "loop/mailbox.h"
#include "loop/timer_queue.h"

namespace lattice::loop {
namespace {

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

Instant boot_time() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return {static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec};
}

event_base* new_base() {
  event_config* config = event_config_new();
  if (config == nullptr) broken("event_config_new failed");
  // One thread per base: no locks. Its time cache would only serve libevent's timers, which we do
  // not use.
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME);
  event_base* base = event_base_new_with_config(config);
  event_config_free(config);
  if (base == nullptr) broken("event_base_new_with_config failed");
  return base;
}

}  // namespace

struct Loop::Impl {
  Impl() : base(new_base()) {
    event_assign(
        &mailbox_event, base, mailbox.fd(), EV_READ | EV_PERSIST | EV_ET,
        [](evutil_socket_t, short, void*) {}, nullptr);
    event_assign(
        &timer_event, base, timers.fd(), EV_READ | EV_PERSIST,
        [](evutil_socket_t, short, void* self) {
          auto* impl = static_cast<Impl*>(self);
          impl->timers.run_due(impl->now());
        },
        this);
    if (event_add(&mailbox_event, nullptr) != 0 || event_add(&timer_event, nullptr) != 0) {
      broken("event_add failed");
    }
  }

  ~Impl() {
    // Tasks that never ran may own handles; those must go while the base lives.
    std::vector<Task> unrun;
    do {
      unrun.clear();
      deferred.clear();
      mailbox.collect(&unrun);
    } while (!unrun.empty());
    if (watches != 0) broken("a descriptor's watch outlives its loop");
    event_del(&mailbox_event);
    event_del(&timer_event);
    event_base_free(base);
  }

  bool owned_by_this_thread() const {
    const std::thread::id id = owner.load(std::memory_order_relaxed);
    return id == std::thread::id() || id == std::this_thread::get_id();
  }
  void check_thread() const {
    if (!owned_by_this_thread()) broken("a loop was used from a foreign thread");
  }

  Instant now() {
    if (cached_now == Instant{}) cached_now = boot_time();
    return cached_now;
  }

  // Returns whether stop was asked for before this turn's tasks were collected.
  bool turn(bool wait) {
    cached_now = {};
    // EVLOOP_ONCE is one round of events: the turn, whose end libevent 2.1 has no hook for. Without
    // it EVLOOP_NONBLOCK goes on for as long as anything is ready.
    event_base_loop(base, wait ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK);
    const bool stopping = mailbox.collect(&running);
    for (Task& task : running) task();
    running.clear();
    run_deferred();
    return stopping;
  }

  void run_deferred() {
    while (!deferred.empty()) {
      running.swap(deferred);
      for (Task& task : running) task();
      running.clear();
    }
  }

  event_base* base;
  Mailbox mailbox;
  TimerQueue timers;
  event mailbox_event{};
  event timer_event{};
  std::vector<Task> deferred;
  std::vector<Task> running;
  Instant cached_now{};  // zero: not read in this turn
  size_t watches = 0;
  std::atomic<std::thread::id> owner{};
};

namespace {

// Two events for one descriptor: changing one of them is a single epoll_ctl, where changing the
// flags of a combined event would take it out and put it back.
class EventWatch final : public FdWatch {
 public:
  using Callback = absl::AnyInvocable<void(bool, bool)>;

  EventWatch(event_base* base, size_t& watches, int fd, Callback callback)
      : watches_(watches), state_(new State) {
    ++watches_;
    state_->callback = std::move(callback);
    event_assign(&state_->read, base, fd, EV_READ | EV_PERSIST, &dispatch, state_);
    event_assign(&state_->write, base, fd, EV_WRITE | EV_PERSIST, &dispatch, state_);
  }
  ~EventWatch() override {
    event_del(&state_->read);
    event_del(&state_->write);
    --watches_;
    if (state_->running) {
      state_->dead = true;  // dispatch() below us on the stack deletes it
    } else {
      delete state_;
    }
  }
  void want(bool read, bool write) override {
    set(&state_->read, &reading_, read);
    set(&state_->write, &writing_, write);
  }

 private:
  struct State {
    event read{};
    event write{};
    Callback callback;
    bool running = false;
    bool dead = false;
  };

  static void set(event* event, bool* current, bool wanted) {
    if (*current == wanted) return;
    *current = wanted;
    if (wanted) {
      event_add(event, nullptr);
    } else {
      event_del(event);
    }
  }
  static void dispatch(evutil_socket_t, short what, void* argument) {
    auto* state = static_cast<State*>(argument);
    state->running = true;
    state->callback((what & EV_READ) != 0, (what & EV_WRITE) != 0);
    state->running = false;
    if (state->dead) delete state;
  }

  size_t& watches_;
  State* state_;  // shared with dispatch(), which may outlive the handle by one return
  bool reading_ = false;
  bool writing_ = false;
};

}  // namespace

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

void Loop::run() {
  impl_->check_thread();
  impl_->owner.store(std::this_thread::get_id(), std::memory_order_relaxed);
  impl_->run_deferred();  // left by whoever prepared the loop
  bool stopping = false;
  while (!stopping) stopping = impl_->turn(/*wait=*/impl_->mailbox.fall_asleep());
  impl_->owner.store(std::thread::id(), std::memory_order_relaxed);
}

void Loop::stop() { impl_->mailbox.request_stop(); }

void Loop::turn() {
  impl_->check_thread();
  impl_->turn(/*wait=*/false);
}

void Loop::post(Task task) { impl_->mailbox.post(std::move(task)); }

void Loop::defer(Task task) {
  impl_->check_thread();
  impl_->deferred.push_back(std::move(task));
}

bool Loop::in_loop_thread() const { return impl_->owned_by_this_thread(); }

Instant Loop::now() const { return impl_->now(); }

Instant Loop::fresh_now() const { return boot_time(); }

Duration Loop::thread_time() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::unique_ptr<TimerHandle> Loop::after(Duration delay, Task callback) {
  impl_->check_thread();
  const Instant now = fresh_now();
  // A delay beyond the clock's range means never.
  const bool far = delay.count() > Instant::never().nanoseconds - now.nanoseconds;
  return impl_->timers.add(far ? Instant::never() : now + delay, std::move(callback));
}

std::unique_ptr<FdWatch> Loop::watch(
    int fd, absl::AnyInvocable<void(bool readable, bool writable)> callback) {
  impl_->check_thread();
  return std::make_unique<EventWatch>(impl_->base, impl_->watches, fd, std::move(callback));
}

event_base* Loop::base() { return impl_->base; }

}  // namespace lattice::loop
