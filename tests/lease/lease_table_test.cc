#include "lease/lease_table.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

namespace lattice::lease {
namespace {

constexpr LeaseId first{1};
constexpr LeaseId second{2};

Instant at(double seconds) { return {static_cast<int64_t>(seconds * 1e9)}; }

// A leader since second 0 whose changes are committed at once.
struct Leader {
  LeaseTable table;
  Leader() { table.take_over(at(0)); }
  Status grant(LeaseId id, int64_t ttl, Instant now) {
    Status status = table.stage_grant(id, ttl);
    table.commit(now);
    return status;
  }
  Status revoke(LeaseId id, Instant now) {
    Status status = table.stage_revoke(id);
    table.commit(now);
    return status;
  }
};

using Ids = std::vector<LeaseId>;

TEST_CASE("TTLs are raised to two seconds and refused beyond etcd's bound") {
  CHECK(*LeaseTable::effective_ttl(-5) == 2);
  CHECK(*LeaseTable::effective_ttl(0) == 2);
  CHECK(*LeaseTable::effective_ttl(3) == 3);
  CHECK(*LeaseTable::effective_ttl(9'000'000'000) == 9'000'000'000);
  CHECK(LeaseTable::effective_ttl(9'000'000'001).error() == Error::lease_ttl_too_large);
}

TEST_CASE("an id is granted once") {
  Leader leader;
  CHECK(leader.grant(first, 10, at(0)).ok());
  CHECK(leader.grant(first, 10, at(1)).error() == Error::lease_exists);
  CHECK(leader.table.size() == 1);
}

TEST_CASE("revoking an unknown lease is refused") {
  Leader leader;
  CHECK(leader.revoke(first, at(0)).error() == Error::lease_not_found);
}

TEST_CASE("a deadline counts from the commit and not from the staging") {
  Leader leader;
  REQUIRE(leader.table.stage_grant(first, 10).ok());
  CHECK(leader.table.exists(first));
  CHECK(leader.table.next_deadline() == Instant::never());
  leader.table.commit(at(5));
  CHECK(leader.table.next_deadline() == at(15));
}

TEST_CASE("a staged grant can be neither renewed nor seen") {
  Leader leader;
  REQUIRE(leader.table.stage_grant(first, 10).ok());
  CHECK_FALSE(leader.table.renew(first, at(1)).has_value());
  CHECK_FALSE(leader.table.info(first, at(1)).has_value());
  CHECK(leader.table.list(at(1)).empty());
}

TEST_CASE("a rolled back grant is gone, a rolled back revoke never was") {
  Leader leader;
  REQUIRE(leader.grant(first, 10, at(0)).ok());
  REQUIRE(leader.table.stage_revoke(first).ok());
  REQUIRE(leader.table.stage_grant(second, 10).ok());
  leader.table.rollback();
  CHECK(leader.table.exists(first));
  CHECK_FALSE(leader.table.exists(second));
  CHECK(leader.table.expired(at(10), 10) == Ids{first});
}

TEST_CASE("one batch may revoke a lease and grant its id again") {
  Leader leader;
  REQUIRE(leader.grant(first, 10, at(0)).ok());
  REQUIRE(leader.table.stage_revoke(first).ok());
  REQUIRE(leader.table.stage_grant(first, 20).ok());
  SUBCASE("committed") {
    leader.table.commit(at(2));
    CHECK(leader.table.info(first, at(2))->granted_ttl_seconds == 20);
    CHECK(leader.table.next_deadline() == at(22));
  }
  SUBCASE("rolled back") {
    leader.table.rollback();
    CHECK(leader.table.info(first, at(2))->granted_ttl_seconds == 10);
    CHECK(leader.table.next_deadline() == at(10));
  }
  CHECK(leader.table.size() == 1);
}

TEST_CASE("one batch may grant a lease and revoke it") {
  Leader leader;
  REQUIRE(leader.table.stage_grant(first, 10).ok());
  REQUIRE(leader.table.stage_revoke(first).ok());
  CHECK_FALSE(leader.table.exists(first));
  leader.table.commit(at(1));
  CHECK_FALSE(leader.table.exists(first));
  CHECK(leader.table.next_deadline() == Instant::never());
}

TEST_CASE("a renewal starts the whole TTL again") {
  Leader leader;
  REQUIRE(leader.grant(first, 10, at(0)).ok());
  const auto renewal = leader.table.renew(first, at(9));
  REQUIRE(renewal.has_value());
  CHECK_FALSE(renewal->pending);
  CHECK(renewal->ttl_seconds == 10);
  CHECK(leader.table.expired(at(18.9), 10).empty());
  CHECK(leader.table.expired(at(19), 10) == Ids{first});
}

TEST_CASE("an expired lease cannot be renewed, only waited for") {
  Leader leader;
  REQUIRE(leader.grant(first, 10, at(0)).ok());
  CHECK(leader.table.renew(first, at(10))->pending);
  CHECK(leader.table.expired(at(10), 10) == Ids{first});
}

TEST_CASE("a lease that is being revoked is not renewed and does not expire again") {
  Leader leader;
  REQUIRE(leader.grant(first, 10, at(0)).ok());
  REQUIRE(leader.table.stage_revoke(first).ok());
  CHECK(leader.table.renew(first, at(1))->pending);
  CHECK(leader.table.expired(at(100), 10).empty());
  CHECK_FALSE(leader.table.exists(first));
  CHECK(leader.table.info(first, at(1)).has_value());
  leader.table.commit(at(2));
  CHECK_FALSE(leader.table.renew(first, at(2)).has_value());
  CHECK_FALSE(leader.table.info(first, at(2)).has_value());
}

TEST_CASE("remaining seconds are truncated and never negative") {
  Leader leader;
  REQUIRE(leader.grant(first, 10, at(0)).ok());
  CHECK(leader.table.info(first, at(0.1))->remaining_seconds == 9);
  CHECK(leader.table.info(first, at(25))->remaining_seconds == 0);
}

TEST_CASE("the list is ordered by remaining time") {
  Leader leader;
  REQUIRE(leader.grant(first, 30, at(0)).ok());
  REQUIRE(leader.grant(second, 20, at(0)).ok());
  const auto ids = [&](Instant now) {
    Ids found;
    for (const LeaseInfo& info : leader.table.list(now)) found.push_back(info.id);
    return found;
  };
  CHECK(ids(at(1)) == Ids{second, first});
  (void)leader.table.renew(second, at(15));
  CHECK(ids(at(15)) == Ids{first, second});
}

TEST_CASE("a follower's leases have no deadline until it takes over") {
  LeaseTable table;
  table.apply_grant(first, 10);
  CHECK(table.next_deadline() == Instant::never());
  CHECK(table.info(first, at(1000))->remaining_seconds == 10);
  table.take_over(at(1000));
  CHECK(table.next_deadline() == at(1010));
  table.step_down();
  CHECK(table.next_deadline() == Instant::never());
  CHECK(table.expired(at(5000), 10).empty());
}

TEST_CASE("a new leader counts from the checkpoint") {
  LeaseTable table;
  table.apply_grant(first, 1000);
  table.apply_checkpoint(first, 400);
  table.take_over(at(0));
  CHECK(table.next_deadline() == at(400));
  const auto renewal = table.renew(first, at(10));
  CHECK(renewal->needs_checkpoint_reset);
  CHECK(table.next_deadline() == at(1010));
  table.apply_checkpoint(first, 0);
  CHECK_FALSE(table.renew(first, at(20))->needs_checkpoint_reset);
}

TEST_CASE("long leases are checkpointed when nobody renews them for five minutes") {
  Leader leader;
  REQUIRE(leader.grant(first, 1000, at(0)).ok());
  REQUIRE(leader.grant(second, 300, at(0)).ok());
  CHECK(leader.table.next_checkpoint() == at(300));
  CHECK(leader.table.checkpoints_due(at(299), 10).empty());
  const auto due = leader.table.checkpoints_due(at(300.5), 10);
  REQUIRE(due.size() == 1);
  CHECK(due[0].id == first);
  CHECK(due[0].remaining_seconds == 700);  // 699.5, rounded up
  CHECK(leader.table.checkpoints_due(at(301), 10).empty());
  CHECK(leader.table.checkpoints_due(at(601), 10).size() == 1);
}

TEST_CASE("a renewal puts the checkpoint off") {
  Leader leader;
  REQUIRE(leader.grant(first, 1000, at(0)).ok());
  (void)leader.table.renew(first, at(200));
  CHECK(leader.table.checkpoints_due(at(400), 10).empty());
  CHECK(leader.table.next_checkpoint() == at(500));
}

TEST_CASE("a renewal that overtakes a checkpoint on its way resets it") {
  Leader leader;
  REQUIRE(leader.grant(first, 1000, at(0)).ok());
  REQUIRE(leader.table.checkpoints_due(at(300), 10).size() == 1);
  CHECK(leader.table.renew(first, at(301))->needs_checkpoint_reset);
  leader.table.apply_checkpoint(first, 700);
  CHECK(leader.table.renew(first, at(302))->needs_checkpoint_reset);
  leader.table.apply_checkpoint(first, 1000);
  CHECK_FALSE(leader.table.renew(first, at(303))->needs_checkpoint_reset);
}

TEST_CASE("the longest TTL does not overflow the clock") {
  Leader leader;
  REQUIRE(leader.grant(first, ttl_seconds_max, at(8e8)).ok());
  CHECK(leader.table.expired(at(9e8), 10).empty());
  CHECK(leader.table.next_deadline() < Instant::never());
}

TEST_CASE("expiries are handed out up to the asked number, earliest first") {
  Leader leader;
  for (int64_t id = 1; id <= 5; ++id) REQUIRE(leader.grant(LeaseId(id), 10 - id, at(0)).ok());
  CHECK(leader.table.expired(at(100), 2) == Ids{LeaseId(5), LeaseId(4)});
}

// Grants, renewals and revokes in random batches, beside a map that only knows committed leases.
TEST_CASE("random batches agree with a map of deadlines") {
  struct Known {
    int64_t ttl = 0;
    Instant deadline;
  };
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    Leader leader;
    std::map<LeaseId, Known> committed;
    std::map<LeaseId, Known> staged;
    Instant now = at(0);
    for (int step = 0; step < 2000; ++step) {
      now = now + Duration(static_cast<int64_t>(random() % 1'000'000'000));
      const LeaseId id(static_cast<int64_t>(random() % 8) + 1);
      const auto ttl = static_cast<int64_t>(random() % 20) + 2;
      switch (random() % 6) {
        case 0:
          REQUIRE(leader.table.stage_grant(id, ttl).ok() != staged.contains(id));
          staged.try_emplace(id, Known{ttl, Instant::never()});
          break;
        case 1:
          REQUIRE(leader.table.stage_revoke(id).ok() == staged.contains(id));
          staged.erase(id);
          break;
        case 2:
          leader.table.commit(now);
          for (auto& [key, known] : staged) {
            if (known.deadline != Instant::never()) continue;
            known.deadline = now + std::chrono::seconds(known.ttl);
          }
          committed = staged;
          break;
        case 3:
          leader.table.rollback();
          staged = committed;
          break;
        default: {
          const auto renewal = leader.table.renew(id, now);
          if (committed.contains(id) && staged.contains(id) &&
              staged[id].deadline != Instant::never()) {
            REQUIRE(renewal.has_value());
            REQUIRE(renewal->pending == (committed[id].deadline <= now));
            if (renewal->pending) break;
            committed[id].deadline = now + std::chrono::seconds(committed[id].ttl);
            staged[id].deadline = committed[id].deadline;
          } else {
            REQUIRE((!renewal.has_value() || renewal->pending));
          }
        }
      }
      Ids expired;
      for (const auto& [key, known] : staged) {
        REQUIRE(leader.table.exists(key));
        REQUIRE(leader.table.is_expired(key, now) == (known.deadline <= now));
        if (known.deadline <= now) expired.push_back(key);
      }
      REQUIRE(leader.table.size() == staged.size());
      Ids found = leader.table.expired(now, 100);
      std::sort(found.begin(), found.end());
      REQUIRE(found == expired);
    }
  }
}

}  // namespace
}  // namespace lattice::lease
