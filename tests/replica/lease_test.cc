// Leases at their leader.
#include "replica/fixture.h"

namespace lattice::replica {
namespace {

struct Leases : Fixture {
  using Fixture::Fixture;
  Result<LeaseKeepAliveResult> keep_alive(int64_t id) {
    Answer<LeaseKeepAliveResult> answer;
    replica->lease_keep_alive(LeaseId(id), answer.callback());
    return wait(answer);
  }
  Result<LeaseTimeToLiveResult> time_to_live(int64_t id) {
    Answer<LeaseTimeToLiveResult> answer;
    replica->lease_time_to_live(LeaseId(id), true, answer.callback());
    return wait(answer);
  }
  Result<Revision> revoke(int64_t id) {
    Answer<Revision> answer;
    replica->lease_revoke(LeaseId(id), answer.callback());
    return wait(answer);
  }
};

}  // namespace

TEST_CASE("grant picks a positive id, raises the TTL and bumps no revision") {
  Leases f;
  f.start();
  const auto granted = f.grant(0, 0);
  REQUIRE(granted.ok());
  CHECK(granted->id > LeaseId(0));
  CHECK(granted->ttl_seconds == 2);
  CHECK(granted->header_revision == Revision(1));
  CHECK(f.grant(7, 10).ok());
  CHECK(f.grant(7, 10).error() == Error::lease_exists);
  CHECK(f.grant(8, 9'000'000'001).error() == Error::lease_ttl_too_large);
}

TEST_CASE("revoke deletes the keys of the lease in one revision") {
  Leases f;
  f.start();
  REQUIRE(f.grant(7, 10).ok());
  for (const char* key : {"b", "a", "c"}) REQUIRE(f.put(key, "v", 7).ok());
  const auto info = f.time_to_live(7);
  REQUIRE(info.ok());
  CHECK(info->found);
  CHECK(info->keys == std::vector<std::string>{"a", "b", "c"});
  CHECK(*f.revoke(7) == Revision(5));
  CHECK(f.get("a", "z")->count == 0);
  CHECK(f.revoke(7).error() == Error::lease_not_found);
  CHECK_FALSE(f.time_to_live(7)->found);
  CHECK(f.keep_alive(7)->ttl_seconds == 0);
}

TEST_CASE("a lease expires not before its TTL, and within two seconds after it") {
  Leases f;
  f.start();
  REQUIRE(f.grant(7, 5).ok());
  REQUIRE(f.put("a", "v", 7).ok());
  f.run_for(std::chrono::milliseconds(4000));
  CHECK(f.keep_alive(7)->ttl_seconds == 5);
  f.run_for(std::chrono::milliseconds(4900));
  CHECK(f.get("a")->count == 1);
  f.run_for(std::chrono::milliseconds(2000));
  CHECK(f.get("a")->count == 0);
  CHECK(f.replica->applied_revision() == Revision(3));
}

TEST_CASE("a new leader gives every lease its full time again") {
  Leases f;
  f.start();
  REQUIRE(f.grant(7, 5).ok());
  REQUIRE(f.put("a", "v", 7).ok());
  f.run_for(std::chrono::seconds(4));
  f.replica.reset();
  f.start();
  f.run_for(std::chrono::milliseconds(4900));
  CHECK(f.get("a")->count == 1);
  f.run_for(std::chrono::seconds(2));
  CHECK(f.get("a")->count == 0);
  f.replica.reset();
  f.start();
  CHECK_FALSE(f.time_to_live(7)->found);
}

TEST_CASE("expiry is limited to the configured rate") {
  Options options;
  options.lease_revokes_per_check = 10;
  Leases f(options);
  f.start();
  for (int i = 1; i <= 35; ++i) REQUIRE(f.grant(i, 2).ok());
  f.run_for(std::chrono::milliseconds(2600));
  Answer<LeaseLeasesResult> answer;
  f.replica->lease_leases(answer.callback());
  const auto left = f.wait(answer);
  CHECK(left->leases.size() >= 15);
  CHECK(left->leases.size() < 35);
  f.run_for(std::chrono::seconds(2));
  Answer<LeaseLeasesResult> later;
  f.replica->lease_leases(later.callback());
  CHECK(f.wait(later)->leases.empty());
}

}  // namespace lattice::replica
