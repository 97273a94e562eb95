#include "proxy/backlog.h"

#include <doctest/doctest.h>

namespace lattice::proxy {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{1'000'000'000'000};
constexpr size_t read_bytes = 64 << 10;

// Reads of which each takes `per_read` and leaves `waiting` bytes in the socket, for `time`.
Instant keep_reading(Backlog& backlog, Instant from, Duration time, Duration per_read,
                     size_t waiting) {
  Instant now = from;
  for (; now - from < time; now = now + per_read) {
    backlog.on_read(read_bytes, now, [waiting] { return waiting; });
  }
  return now;
}

TEST_CASE("What is read at once has not waited") {
  Backlog backlog;
  for (int i = 0; i < 1000; ++i) backlog.on_emptied();
  CHECK(backlog.overdue() == 0ms);
}

TEST_CASE("A backlog that is worked off in time is none, however long it stands") {
  Backlog backlog;
  // Ten reads' worth, 10 ms each.
  (void)keep_reading(backlog, start, 60s, 10ms, 10 * read_bytes);
  CHECK(backlog.overdue() == 0ms);
}

TEST_CASE(
    "A standing backlog counts once it has been too long for a while, and ends when it is read") {
  Backlog backlog;
  // A hundred reads' worth: a second.
  Instant now = keep_reading(backlog, start, 1900ms, 10ms, 100 * read_bytes);
  CHECK(backlog.overdue() == 0ms);
  now = keep_reading(backlog, now, 1s, 10ms, 100 * read_bytes);
  CHECK(backlog.overdue() >= 900ms);
  CHECK(backlog.overdue() <= 1100ms);

  SUBCASE("emptied") {
    backlog.on_emptied();
    CHECK(backlog.overdue() == 0ms);
  }
  SUBCASE("shorter") {
    (void)keep_reading(backlog, now, 2s, 10ms, 10 * read_bytes);
    CHECK(backlog.overdue() == 0ms);
  }
  SUBCASE("nothing waits behind a full read") {
    backlog.on_read(100 * read_bytes, now, [] { return size_t{0}; });
    CHECK(backlog.overdue() == 0ms);
  }
}

TEST_CASE("A burst is let pass") {
  Backlog backlog;
  const Instant now = keep_reading(backlog, start, 700ms, 10ms, 60 * read_bytes);
  CHECK(backlog.overdue() == 0ms);
  backlog.on_emptied();
  (void)keep_reading(backlog, now, 700ms, 10ms, 60 * read_bytes);
  CHECK(backlog.overdue() == 0ms);
}

}  // namespace
}  // namespace lattice::proxy
