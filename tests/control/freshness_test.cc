// How old is too old, to the nanosecond.
#include "control/freshness.h"

#include <doctest/doctest.h>

namespace lattice::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr Instant asked{1'000'000'000'000};
constexpr nanoseconds tick(1);

TEST_CASE("each state ends where it says") {
  Freshness freshness(seconds(10), milliseconds(500));
  CHECK(freshness.state(asked) == CacheState::expired);
  CHECK_FALSE(freshness.known());
  freshness.prove(asked);
  CHECK(freshness.state(asked) == CacheState::fresh);
  CHECK(freshness.state(asked + seconds(5)) == CacheState::fresh);
  CHECK(freshness.state(asked + seconds(5) + tick) == CacheState::cached);
  CHECK(freshness.state(asked + seconds(10)) == CacheState::cached);
  CHECK(freshness.state(asked + seconds(10) + tick) == CacheState::stale);
  CHECK(freshness.state(asked + milliseconds(10'500)) == CacheState::stale);
  CHECK(freshness.state(asked + milliseconds(10'500) + tick) == CacheState::expired);
  CHECK(freshness.state(asked + std::chrono::hours(24 * 365)) == CacheState::expired);
}

TEST_CASE("without grace nothing is Stale") {
  Freshness freshness(seconds(1), {});
  freshness.prove(asked);
  CHECK(freshness.state(asked + seconds(1)) == CacheState::cached);
  CHECK(freshness.state(asked + seconds(1) + tick) == CacheState::expired);
}

TEST_CASE("the next change is the first moment of the next state") {
  Freshness freshness(seconds(10), milliseconds(500));
  CHECK(freshness.next_change(asked) == Instant::never());
  freshness.prove(asked);
  for (Instant now = asked; freshness.state(now) != CacheState::expired;) {
    const CacheState before = freshness.state(now);
    const Instant next = freshness.next_change(now);
    CHECK(freshness.state(next - tick) == before);
    CHECK(freshness.state(next) != before);
    now = next;
  }
}

TEST_CASE("a clock that jumps ahead ages the view; one that goes back vouches for nothing") {
  Freshness freshness(seconds(10), milliseconds(500));
  freshness.prove(asked);
  CHECK(freshness.state(asked + std::chrono::hours(8)) == CacheState::expired);
  CHECK(freshness.state(asked - tick) == CacheState::expired);
  freshness.prove(asked + std::chrono::hours(8));
  CHECK(freshness.state(asked + std::chrono::hours(8)) == CacheState::fresh);
}

TEST_CASE("an answer to an older question makes nothing older") {
  Freshness freshness(seconds(10), milliseconds(500));
  freshness.prove(asked + seconds(4));
  freshness.prove(asked);
  CHECK(freshness.proved_at() == asked + seconds(4));
}

TEST_CASE("what another process has proved is Cached at best, and keeps its age") {
  Freshness freshness(seconds(10), milliseconds(500));
  freshness.inherit(asked);
  CHECK(freshness.state(asked) == CacheState::cached);
  CHECK(freshness.state(asked + seconds(10)) == CacheState::cached);
  CHECK(freshness.state(asked + seconds(10) + tick) == CacheState::stale);
  CHECK(freshness.next_change(asked) == asked + seconds(10) + tick);
  freshness.prove(asked + seconds(20));
  CHECK(freshness.state(asked + seconds(20)) == CacheState::fresh);
  freshness.inherit(asked + seconds(30));
  CHECK(freshness.proved_at() == asked + seconds(20));
}

TEST_CASE("only Fresh and Cached vouch") {
  CHECK(vouches(CacheState::fresh));
  CHECK(vouches(CacheState::cached));
  CHECK_FALSE(vouches(CacheState::stale));
  CHECK_FALSE(vouches(CacheState::expired));
}

}  // namespace
}  // namespace lattice::control
