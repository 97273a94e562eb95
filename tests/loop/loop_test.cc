#include "loop/loop.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace lattice::loop {
namespace {

using std::chrono::milliseconds;

TEST_CASE("Tasks run in the order of posting, and stop lets earlier ones run") {
  Loop loop;
  std::vector<int> seen;
  for (int i = 0; i < 5; ++i) loop.post([&seen, i] { seen.push_back(i); });
  loop.stop();
  loop.run();
  CHECK(seen == std::vector<int>{0, 1, 2, 3, 4});
}

TEST_CASE("Posts from several threads all arrive on the loop's thread") {
  Loop loop;
  std::atomic<int> wrong_thread = 0;
  int received = 0;
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  std::thread runner([&] { loop.run(); });
  std::vector<std::thread> posters;
  for (int t = 0; t < kThreads; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        loop.post([&] {
          if (!loop.in_loop_thread()) ++wrong_thread;
          ++received;
        });
      }
    });
  }
  for (auto& poster : posters) poster.join();
  loop.stop();
  runner.join();
  CHECK(received == kThreads * kEach);
  CHECK(wrong_thread == 0);
}

TEST_CASE("A sleeping loop is woken by each lone post") {
  Loop loop;
  std::thread runner([&] { loop.run(); });
  std::atomic<int> ran = 0;
  for (int i = 1; i <= 50; ++i) {
    loop.post([&] { ++ran; });
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (ran != i && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
    REQUIRE(ran == i);
  }
  loop.stop();
  runner.join();
}

TEST_CASE("Deferred tasks run at the end of the turn, those they defer included") {
  Loop loop;
  std::string order;
  loop.post([&] {
    loop.defer([&] {
      order += 'c';
      loop.defer([&] { order += 'd'; });
      loop.post([&] { order += 'e'; });
    });
    order += 'a';
  });
  loop.post([&] { order += 'b'; });
  loop.turn();
  CHECK(order == "abcd");
  loop.turn();
  CHECK(order == "abcde");
}

TEST_CASE("Timers fire in order of time, not early, and not after their handle has gone") {
  Loop loop;
  std::string order;
  const Instant start = loop.fresh_now();
  Instant fired{};
  auto late = loop.after(milliseconds(12), [&] {
    order += 'c';
    fired = loop.fresh_now();
    loop.stop();
  });
  auto early = loop.after(milliseconds(2), [&] { order += 'a'; });
  auto middle = loop.after(milliseconds(6), [&] { order += 'b'; });
  auto cancelled = loop.after(milliseconds(4), [&] { order += 'x'; });
  auto never = loop.after(Duration::max(), [&] { order += 'n'; });
  cancelled.reset();
  loop.run();
  CHECK(order == "abc");
  CHECK(fired - start >= milliseconds(12));
}

TEST_CASE("Timers are precise to well under the 4 ms of the coarse clock") {
  Loop loop;
  int64_t best_ns = INT64_MAX;
  std::unique_ptr<TimerHandle> timer;
  int left = 20;
  Instant due{};
  absl::AnyInvocable<void()> again = [&] {
    best_ns = std::min(best_ns, (loop.fresh_now() - due).count());
    if (--left == 0) return loop.stop();
    due = loop.fresh_now() + std::chrono::microseconds(300);
    timer = loop.after(std::chrono::microseconds(300), [&] { again(); });
  };
  due = loop.fresh_now() + std::chrono::microseconds(300);
  timer = loop.after(std::chrono::microseconds(300), [&] { again(); });
  loop.run();
  CHECK(best_ns >= 0);
  CHECK(best_ns < 1'000'000);
}

TEST_CASE("Many timers with many cancellations keep their order") {
  Loop loop;
  std::vector<std::unique_ptr<TimerHandle>> timers;
  std::vector<int> fired;
  for (int i = 0; i < 500; ++i) {
    const int at = (i * 7919) % 500;
    timers.push_back(
        loop.after(std::chrono::microseconds(at * 4), [&, at] { fired.push_back(at); }));
  }
  for (int i = 0; i < 500; i += 3) timers[static_cast<size_t>(i)].reset();
  auto end = loop.after(milliseconds(30), [&] { loop.stop(); });
  loop.run();
  CHECK(fired.size() == 333);
  // Creation takes longer than the gaps, so neighbours may swap; far apart they may not.
  for (size_t i = 0; i + 250 < fired.size(); ++i) CHECK(fired[i] < fired[i + 250] + 100);
}

TEST_CASE("now() stands still within a turn; fresh_now() does not") {
  Loop loop;
  loop.post([&] {
    const Instant first = loop.now();
    std::this_thread::sleep_for(milliseconds(2));
    CHECK(loop.now() == first);
    CHECK(loop.fresh_now() - first >= milliseconds(2));
  });
  loop.turn();
  const Instant before = loop.now();
  std::this_thread::sleep_for(milliseconds(1));
  loop.turn();
  CHECK(loop.now() > before);
}

TEST_CASE("A watch reports what is wanted only, and may die in its own callback") {
  Loop loop;
  int fds[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  int reads = 0;
  int writes = 0;
  std::unique_ptr<FdWatch> watch;
  watch = loop.watch(fds[0], [&](bool readable, bool writable) {
    reads += readable;
    writes += writable;
    if (reads == 2) watch.reset();
  });
  loop.turn();
  CHECK(writes == 0);
  watch->want(false, true);
  loop.turn();
  CHECK(writes == 1);
  CHECK(reads == 0);
  watch->want(true, false);
  loop.turn();
  CHECK(reads == 0);
  REQUIRE(write(fds[1], "x", 1) == 1);
  loop.turn();  // level-triggered: unread data is reported again
  loop.turn();
  loop.turn();
  CHECK(reads == 2);
  CHECK(writes == 1);
  CHECK(watch == nullptr);
  close(fds[0]);
  close(fds[1]);
}

TEST_CASE("A timer may destroy itself and others that are due with it") {
  Loop loop;
  std::unique_ptr<TimerHandle> first;
  std::unique_ptr<TimerHandle> second;
  int fired = 0;
  first = loop.after(milliseconds(1), [&] {
    ++fired;
    first.reset();
    second.reset();
  });
  second = loop.after(milliseconds(1), [&] { ++fired; });
  auto end = loop.after(milliseconds(5), [&] { loop.stop(); });
  loop.run();
  CHECK(fired == 1);
}

}  // namespace
}  // namespace lattice::loop
