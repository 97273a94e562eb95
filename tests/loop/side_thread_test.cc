#include "loop/side_thread.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

namespace lattice::loop {
namespace {

// Notes the thread that it dies on.
struct Shared {
  explicit Shared(std::optional<std::thread::id>& note) : died_on(note) {}
  ~Shared() { died_on = std::this_thread::get_id(); }
  std::optional<std::thread::id>& died_on;
};

// Takes its time to die, and lets go of what it shares last.
struct SlowWork {
  struct Pause {
    Pause() = default;
    Pause(Pause&& other) noexcept : mine(std::exchange(other.mine, false)) {}
    ~Pause() {
      if (mine) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    bool mine = true;
  };
  void operator()() const {}
  std::shared_ptr<Shared> shared;
  Pause pause;
};

// Work that holds the thread until it is let go of; outlives the thread.
struct Hold {
  auto work() {
    return [this] {
      begun = true;
      begun.notify_all();
      let_go.wait(false);
    };
  }
  void end() {
    let_go = true;
    let_go.notify_all();
  }
  std::atomic<bool> begun = false;
  std::atomic<bool> let_go = false;
};

// What was started later has come as well.
void wait_for_all(Loop& loop, SideThread& side) {
  bool last = false;
  REQUIRE(side.run([] {}, [&last] { last = true; }));
  while (!last) loop.turn();
}

}  // namespace

TEST_CASE("side thread: what work and done share dies on the loop's thread") {
  Loop loop;
  std::optional<std::thread::id> died_on;
  bool done = false;
  {
    SideThread side(loop, "side", 8);
    auto shared = std::make_shared<Shared>(died_on);
    REQUIRE(side.run(SlowWork{shared, {}}, [&done, shared] { done = true; }));
    shared.reset();
    while (!done) loop.turn();
  }
  loop.turn();
  CHECK(died_on == std::this_thread::get_id());
}

TEST_CASE("side thread: work that is given up before it begins is never done") {
  Loop loop;
  Hold hold;
  SideThread side(loop, "side", 8);
  REQUIRE(side.run(hold.work(), [] {}));
  int works = 0;
  int dones = 0;
  auto given_up = side.start([&] { ++works; }, [&] { ++dones; });
  const auto kept = side.start([&] { ++works; }, [&] { ++dones; });
  given_up.reset();
  hold.end();
  wait_for_all(loop, side);
  CHECK(works == 1);
  CHECK(dones == 1);
}

TEST_CASE(
    "side thread: work that is given up while it runs goes on, and ends on the loop's thread") {
  Loop loop;
  std::optional<std::thread::id> died_on;
  Hold hold;
  SideThread side(loop, "side", 8);
  bool done = false;
  auto shared = std::make_shared<Shared>(died_on);
  auto job = side.start([shared, work = hold.work()] { work(); }, [shared, &done] { done = true; });
  shared.reset();
  hold.begun.wait(false);
  job.reset();
  CHECK_FALSE(died_on.has_value());
  hold.end();
  wait_for_all(loop, side);
  CHECK_FALSE(done);
  CHECK(died_on == std::this_thread::get_id());
}

TEST_CASE("side thread: a job may outlive its thread, and be destroyed by its own end") {
  Loop loop;
  std::unique_ptr<SideJob> job;
  std::unique_ptr<SideJob> outliving;
  int dones = 0;
  Hold hold;
  {
    SideThread side(loop, "side", 8);
    job = side.start([] {},
                     [&] {
                       job.reset();
                       ++dones;
                     });
    while (dones == 0) loop.turn();
    REQUIRE(side.run(hold.work(), [] {}));
    outliving = side.start([] {}, [&] { ++dones; });
    hold.end();
  }
  loop.turn();
  outliving.reset();
  CHECK(job == nullptr);
  CHECK(dones == 1);
}

TEST_CASE("side thread: no more than so many wait") {
  Loop loop;
  Hold hold;
  SideThread side(loop, "side", 1);
  REQUIRE(side.run(hold.work(), [] {}));
  hold.begun.wait(false);
  const auto waiting = side.start([] {}, [] {});
  CHECK(waiting != nullptr);
  CHECK(side.start([] {}, [] {}) == nullptr);
  CHECK_FALSE(side.run([] {}, [] {}));
  hold.end();
}

TEST_CASE("side thread: one behind the loops has less priority than the thread that made it") {
  Loop loop;
  SideThread equal(loop, "equal", 8);
  SideThread behind(loop, "behind", 8, SideThread::Priority::behind_loops);
  const auto priority = [] { return getpriority(PRIO_PROCESS, 0); };  // of the calling thread
  int of_equal = 0;
  int of_behind = 0;
  REQUIRE(equal.run([&] { of_equal = priority(); }, [] {}));
  REQUIRE(behind.run([&] { of_behind = priority(); }, [] {}));
  wait_for_all(loop, equal);
  wait_for_all(loop, behind);
  CHECK(of_equal == priority());
  CHECK(of_behind == std::min(priority() + 10, 19));
}

}  // namespace lattice::loop
