#include "etcd/overload.h"

#include <doctest/doctest.h>

namespace lattice::etcd {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{1'000'000'000'000};

TEST_CASE("Requests that are served at once, or late now and then, are not overdue") {
  TurnLag lag;
  for (int i = 0; i < 100; ++i) {
    const Instant turn = start + i * 1s;
    CHECK(lag.overdue(turn, turn) == 0ms);
    CHECK(lag.overdue(turn, turn + 90ms) == 0ms);
  }
  // A long turn, then short ones, again and again.
  Instant now = start + 200s;
  for (int i = 0; i < 100; ++i) {
    CHECK(lag.overdue(now, now + 400ms) == 0ms);
    CHECK(lag.overdue(now + 500ms, now + 510ms) == 0ms);
    CHECK(lag.overdue(now + 600ms, now + 610ms) == 0ms);
    now = now + 1s;
  }
}

TEST_CASE("One turn that is too long ends early") {
  TurnLag lag;
  CHECK(lag.overdue(start, start + 50ms) == 0ms);
  CHECK(lag.overdue(start, start + 150ms) == 0ms);
  CHECK(lag.overdue(start, start + 600ms) == 0ms);
  CHECK(lag.overdue(start, start + 650ms) == 650ms);
}

TEST_CASE("Where turns stay long, those that come late are refused, and the others served") {
  TurnLag lag;
  Instant turn = start;
  for (int i = 0; i < 10; ++i, turn = turn + 200ms) {
    CHECK(lag.overdue(turn, turn + 1ms) == 0ms);
    const Duration late = lag.overdue(turn, turn + 150ms);
    CHECK(late == (i < 3 ? 0ms : 150ms));
  }
  // Short turns are the end of it.
  CHECK(lag.overdue(turn, turn + 20ms) == 0ms);
  CHECK(lag.overdue(turn + 100ms, turn + 120ms) == 0ms);
  CHECK(lag.overdue(turn + 200ms, turn + 350ms) == 0ms);
}

TEST_CASE("A burst of lists ends where building them would take long, whatever their size") {
  ListBurst burst;
  const auto let_in = [&] {
    size_t lists = 0;
    for (; !burst.full() && lists < 100'000; ++lists) burst.begin();
    for (size_t i = 0; i < lists; ++i) burst.end();
    return lists;
  };
  CHECK(let_in() == 100'000);  // nothing is known of them
  for (int i = 0; i < 100; ++i) burst.note(1 << 20);
  CHECK(let_in() >= 256);
  CHECK(let_in() <= 257);
  for (int i = 0; i < 100; ++i) burst.note(1 << 30);
  CHECK(let_in() == ListBurst::lists_min);
  for (int i = 0; i < 200; ++i) burst.note(100);
  CHECK(let_in() == 100'000);
}

TEST_CASE("A refusal says when to come back") {
  const proxy::GrpcStatus status = overload_status(1500ms);
  CHECK(status.code == proxy::GrpcCode::resource_exhausted);
  CHECK(status.message == "etcdserver: too many requests");
  REQUIRE(status.trailers.size() == 2);
  CHECK(status.trailers[0] ==
        std::pair<std::string, std::string>("grpc-retry-pushback-ms", "1500"));
  CHECK(status.trailers[1].first == "grpc-status-details-bin");
  CHECK(status.trailers[1].second.find("google.rpc.RetryInfo") != std::string::npos);
}

}  // namespace
}  // namespace lattice::etcd
