#include "base/rate_meter.h"

#include <doctest/doctest.h>

namespace lattice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant start{1'000'000'000'000};

// How many single takes are let in at `now`.
int takes(RateMeter& meter, const Rate& rate, Instant now) {
  int count = 0;
  for (; count < 10'000 && meter.wait_for(rate, 1, now) == Duration{}; ++count) {
    meter.charge(rate, 1, now);
  }
  return count;
}

TEST_CASE("a burst at once, then the rate") {
  RateMeter meter;
  const Rate rate{100, 20};
  CHECK(meter.remaining(rate, start) == 20);
  CHECK(takes(meter, rate, start) == 20);
  CHECK(meter.remaining(rate, start) == 0);
  CHECK(meter.wait_for(rate, 1, start) == milliseconds(10));
  CHECK(takes(meter, rate, start + milliseconds(9)) == 0);
  CHECK(takes(meter, rate, start + milliseconds(55)) == 5);
  // A long quiet time earns no more than the burst.
  CHECK(takes(meter, rate, start + seconds(1000)) == 20);
}

TEST_CASE("without a burst it is one second's worth") {
  RateMeter meter;
  CHECK(takes(meter, {50, 0}, start) == 50);
}

TEST_CASE("those that wait line up behind each other") {
  RateMeter meter;
  const Rate rate{10, 1};
  for (int i = 0; i < 5; ++i) {
    CHECK(meter.wait_for(rate, 1, start) == milliseconds(100 * i));
    meter.charge(rate, 1, start);
  }
}

TEST_CASE("what is larger than the burst waits for a full one, and leaves a debt") {
  RateMeter meter;
  const Rate rate{1000, 100};
  CHECK(meter.wait_for(rate, 5000, start) == Duration{});
  meter.charge(rate, 5000, start);
  CHECK(meter.wait_for(rate, 1, start) == milliseconds(4901));
  CHECK(meter.wait_for(rate, 100'000, start) == seconds(5));
  CHECK(meter.wait_for(rate, 1, start + milliseconds(4901)) == Duration{});
}

TEST_CASE("a rate that changes applies at once") {
  RateMeter meter;
  CHECK(takes(meter, {10, 10}, start) == 10);
  CHECK(takes(meter, {1000, 2000}, start) == 1000);
}

}  // namespace
}  // namespace lattice
