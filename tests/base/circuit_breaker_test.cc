#include "base/circuit_breaker.h"

#include <doctest/doctest.h>

#include <vector>

#include "base/dependency.h"

namespace lattice {
namespace {

using State = CircuitBreaker::State;
using namespace std::chrono_literals;

constexpr Instant start{1'000'000'000'000};

CircuitBreaker::Options options() {
  return {
      .failures_min = 3, .failing_min = 3s, .pause_min = 200ms, .pause_max = 1s, .stable_min = 1s};
}

// One that has just opened, at `now`, with its longest first pause.
CircuitBreaker opened(Instant now) {
  CircuitBreaker breaker(options());
  breaker.on_failure(now - 3s, now, 1.0);
  return breaker;
}

TEST_CASE("It opens after repeated failures that last, not before") {
  CircuitBreaker breaker(options());
  for (int i = 0; i < 29; ++i) {
    const Instant now = start + i * 100ms;
    CHECK(breaker.try_begin(now));
    breaker.on_failure(now, now, 0.5);
    CHECK(breaker.closed());
  }
  breaker.on_failure(start + 3s, start + 3s, 0.5);
  CHECK(breaker.state() == State::open);
  CHECK_FALSE(breaker.try_begin(start + 3s));
}

TEST_CASE("Few failures do not open it, however long they are apart") {
  CircuitBreaker breaker(options());
  breaker.on_failure(start, start, 0.5);
  breaker.on_failure(start + 1h, start + 1h, 0.5);
  CHECK(breaker.closed());
}

TEST_CASE("One attempt without an answer for as long opens it") {
  CircuitBreaker breaker(options());
  breaker.on_failure(start, start + 2900ms, 0.5);
  CHECK(breaker.closed());
  breaker.on_failure(start, start + 3s, 0.5);
  CHECK(breaker.state() == State::open);
}

TEST_CASE("A success in between starts the count again") {
  CircuitBreaker breaker(options());
  for (int i = 0; i < 10; ++i) breaker.on_failure(start, start + 100ms * i, 0.5);
  breaker.on_success(start + 2s);
  breaker.on_failure(start + 4s, start + 4s, 0.5);
  breaker.on_failure(start + 4s, start + 4s, 0.5);
  breaker.on_failure(start + 4s, start + 4s, 0.5);
  CHECK(breaker.closed());
}

TEST_CASE("When the pause is over, one attempt decides") {
  CircuitBreaker breaker = opened(start);
  CHECK(breaker.refuses_for(start) == 200ms);
  CHECK_FALSE(breaker.try_begin(start + 199ms));
  CHECK(breaker.try_begin(start + 200ms));
  CHECK(breaker.state() == State::half_open);
  for (int i = 0; i < 100; ++i) CHECK_FALSE(breaker.try_begin(start + 200ms));
  CHECK(breaker.refuses_for(start + 200ms) > 0ms);

  SUBCASE("success closes it") {
    breaker.on_success(start + 250ms);
    CHECK(breaker.closed());
    CHECK(breaker.try_begin(start + 250ms));
    CHECK(breaker.refuses_for(start + 250ms) == 0ms);
  }
  SUBCASE("failure opens it for longer") {
    breaker.on_failure(start + 200ms, start + 250ms, 1.0);
    CHECK(breaker.state() == State::open);
    CHECK(breaker.refuses_for(start + 250ms) == 400ms);
  }
}

TEST_CASE("Pauses grow to their maximum, each by chance between half and whole") {
  CircuitBreaker breaker = opened(start);
  Instant now = start;
  for (const Duration whole : {400ms, 800ms, 1000ms, 1000ms, 1000ms}) {
    now = now + breaker.refuses_for(now);
    REQUIRE(breaker.try_begin(now));
    CircuitBreaker lucky = breaker;
    lucky.on_failure(now, now, 0.0);
    breaker.on_failure(now, now, 1.0);
    CHECK(lucky.refuses_for(now) == whole / 2);
    CHECK(breaker.refuses_for(now) == whole);
  }
  for (int i = 0; i < 100; ++i) breaker.on_failure(now, now, 1.0);
  CHECK(breaker.refuses_for(now) == 1s);
}

TEST_CASE("A success that does not last is no recovery") {
  CircuitBreaker breaker = opened(start);
  REQUIRE(breaker.try_begin(start + 1s));
  breaker.on_success(start + 1s);
  breaker.on_failure(start + 1900ms, start + 1900ms, 1.0);
  CHECK(breaker.state() == State::open);
  CHECK(breaker.refuses_for(start + 1900ms) == 400ms);

  REQUIRE(breaker.try_begin(start + 3s));
  breaker.on_success(start + 3s);
  breaker.on_failure(start + 4s, start + 4s, 1.0);
  CHECK(breaker.closed());
}

TEST_CASE("A dependency tells of each change of its breaker and keeps what was wrong") {
  std::vector<State> told;
  Dependency dependency(options(), [&told](const Dependency& it) { told.push_back(it.state()); });
  CHECK(dependency.last_error().ok());
  CHECK_FALSE(dependency.latency());
  dependency.failed({Error::backend_unavailable, "no"}, start, start + 3s, 1.0);
  CHECK(dependency.last_error().detail() == "no");
  CHECK(dependency.failed_at() == start + 3s);
  CHECK_FALSE(dependency.try_begin(start + 3s));
  CHECK(dependency.try_begin(start + 4s));
  dependency.succeeded(start + 4s);
  dependency.succeeded(start + 5s);
  CHECK(told == std::vector{State::open, State::half_open, State::closed});
  CHECK(dependency.last_error().detail() == "no");

  dependency.answered(8ms);
  CHECK(dependency.latency() == 8ms);
  dependency.answered(16ms);
  CHECK(dependency.latency() == 9ms);
}

}  // namespace
}  // namespace lattice
