// What is known of a control plane, whatever it says.
#include "control/cache.h"

#include <doctest/doctest.h>

#include "control/rules.h"

namespace lattice::control {
namespace {

using std::chrono::seconds;

constexpr uint64_t cluster = 7;
constexpr Instant start{1'000'000'000'000};

Cache make_cache() { return Cache({seconds(10), seconds(1), testing::rules()}); }

Version put(const std::string& path, const std::string& text, int64_t revision) {
  return {std::string(documents_prefix) + path, text, revision, false};
}
Version removed(const std::string& path, int64_t revision) {
  return {std::string(documents_prefix) + path, {}, revision, true};
}
std::string keys_max(int64_t value, int64_t epoch = 0) {
  return R"({"format": 1, "routing_epoch": )" + std::to_string(epoch) +
         R"(, "limits": {"keys_max": )" + std::to_string(value) + "}}";
}
int64_t limit_of(const Cache& cache, std::string_view tenant) {
  const Limits limits = limits_of(*cache.documents(), tenant);
  const auto found = limits.find("keys_max");
  return found == limits.end() ? -1 : found->second;
}

TEST_CASE("a list is all there is, and changes follow it") {
  Cache cache = make_cache();
  CHECK(cache.state(start) == CacheState::expired);
  REQUIRE(cache.take_all({cluster, 5}, {put("tenants/a", keys_max(1), 3)}, start).ok());
  CHECK(cache.state(start) == CacheState::fresh);
  CHECK(limit_of(cache, "a") == 1);
  REQUIRE(cache
              .take_changes(cluster,
                            {put("tenants/a", keys_max(2), 6), put("tenants/b", keys_max(3), 6)})
              .ok());
  CHECK(limit_of(cache, "a") == 2);
  CHECK(limit_of(cache, "b") == 3);
  // A change is no proof.
  CHECK(cache.freshness().proved_at() == start);
  REQUIRE(cache.take_changes(cluster, {removed("tenants/a", 7)}).ok());
  CHECK(limit_of(cache, "a") == -1);
  REQUIRE(cache.take_all({cluster, 9}, {}, start).ok());
  CHECK(cache.documents()->tenants.empty());
}

TEST_CASE("what a list had is not changed back by a late event") {
  Cache cache = make_cache();
  REQUIRE(cache.take_all({cluster, 8}, {put("tenants/a", keys_max(1), 8)}, start).ok());
  REQUIRE(cache.take_changes(cluster, {put("tenants/a", keys_max(2), 7)}).ok());
  REQUIRE(cache.take_changes(cluster, {removed("tenants/a", 6)}).ok());
  CHECK(limit_of(cache, "a") == 1);
}

TEST_CASE("a bad version leaves the last good one in force") {
  Cache cache = make_cache();
  REQUIRE(cache.take_all({cluster, 5}, {put("tenants/a", keys_max(1), 3)}, start).ok());
  REQUIRE(cache.take_changes(cluster, {put("tenants/a", keys_max(5000), 6)}).ok());
  CHECK(limit_of(cache, "a") == 1);
  CHECK(cache.problems().size() == 1);
  // Also when it is listed again, and after it was never good.
  REQUIRE(cache.take_all({cluster, 7}, {put("tenants/a", "{", 6), put("tenants/b", "{", 7)}, start)
              .ok());
  CHECK(limit_of(cache, "a") == 1);
  CHECK(limit_of(cache, "b") == -1);
  CHECK(cache.problems().size() == 2);
  REQUIRE(cache.take_changes(cluster, {put("tenants/a", keys_max(9), 8), removed("tenants/b", 9)})
              .ok());
  CHECK(limit_of(cache, "a") == 9);
  CHECK(cache.problems().empty());
}

TEST_CASE("a routing epoch never goes back") {
  Cache cache = make_cache();
  REQUIRE(cache.take_all({cluster, 5}, {put("tenants/a", keys_max(1, 7), 3)}, start).ok());
  REQUIRE(cache.take_changes(cluster, {put("tenants/a", keys_max(2, 6), 6)}).ok());
  CHECK(limit_of(cache, "a") == 1);
  CHECK(cache.problems().begin()->second ==
        "/clustor/v1/tenants/a: routing_epoch: expected at least 7, which was in force, got 6");
}

TEST_CASE("a probe proves what is known, and nothing else") {
  Cache cache = make_cache();
  REQUIRE(cache.take_all({cluster, 5}, {put("tenants/a", keys_max(1), 3), put("x/y", "", 4)}, start)
              .ok());
  const auto proves = [&](int64_t count, int64_t newest, int at) {
    const Result<bool> known = cache.confirm({cluster, 5 + at}, count, newest, start + seconds(at));
    REQUIRE(known.ok());
    return *known;
  };
  CHECK(proves(2, 4, 1));
  CHECK(cache.freshness().proved_at() == start + seconds(1));
  CHECK_FALSE(proves(2, 6, 2));
  CHECK_FALSE(proves(1, 4, 3));
  CHECK_FALSE(proves(3, 4, 4));
  CHECK(cache.freshness().proved_at() == start + seconds(1));
}

TEST_CASE("another control plane and an older state of it are refused as a whole") {
  Cache cache = make_cache();
  REQUIRE(cache.take_all({cluster, 50}, {put("tenants/a", keys_max(1), 3)}, start).ok());
  const Instant later = start + seconds(20);
  const auto why = [](const Status& status) {
    CHECK(status.error() == Error::invalid_argument);
    return status.detail();
  };
  CHECK(why(cache.take_all({8, 60}, {}, later)) ==
        "another control plane answers: cluster 0000000000000008 instead of 0000000000000007");
  CHECK(why(cache.take_all({cluster, 49}, {}, later)) ==
        "the control plane was rolled back: it is at revision 49, and was at 50");
  CHECK_FALSE(cache.confirm({8, 60}, 1, 3, later).ok());
  CHECK_FALSE(cache.confirm({cluster, 49}, 1, 3, later).ok());
  CHECK_FALSE(cache.take_changes(8, {removed("tenants/a", 61)}).ok());
  CHECK(limit_of(cache, "a") == 1);
  CHECK(cache.state(later) == CacheState::expired);
  // A probe counts as a revision that was seen.
  REQUIRE(*cache.confirm({cluster, 70}, 1, 3, later));
  CHECK_FALSE(cache.take_all({cluster, 69}, {}, later).ok());
}

TEST_CASE("policies fill in what the manifest does not say, the first one first") {
  Cache cache = make_cache();
  const std::string gold = R"({"format": 1, "limits": {"keys_max": 5, "quota_bytes": 9}})";
  const std::string silver = R"({"format": 1, "limits": {"keys_max": 6, "quota_bytes": 8}})";
  const auto manifest = [](const std::string& rest) {
    return R"({"format": 1, "policies": ["none", "gold", "silver"])" + rest + "}";
  };
  REQUIRE(cache
              .take_all({cluster, 5},
                        {put("policies/gold", gold, 1), put("policies/silver", silver, 1),
                         put("tenants/a", manifest(R"(, "limits": {"quota_bytes": 1})"), 2),
                         put("tenants/b", manifest(""), 2)},
                        start)
              .ok());
  CHECK(limits_of(*cache.documents(), "a") == Limits{{"keys_max", 5}, {"quota_bytes", 1}});
  CHECK(limits_of(*cache.documents(), "b") == Limits{{"keys_max", 5}, {"quota_bytes", 9}});
  CHECK(limits_of(*cache.documents(), "c").empty());
}

TEST_CASE("what was saved is known again, by its origin and age") {
  Cache before = make_cache();
  REQUIRE(before
              .take_all({cluster, 50}, {put("tenants/a", keys_max(1), 3), put("tenants/b", "", 4)},
                        start)
              .ok());
  REQUIRE(before.take_changes(cluster, {put("tenants/a", "bad", 51)}).ok());
  const Saved saved = before.save();
  CHECK(saved.versions.size() == 1);  // the good ones

  Cache same = make_cache();
  same.restore(saved, /*same_clock=*/true);
  CHECK(limit_of(same, "a") == 1);
  CHECK(same.state(start) == CacheState::cached);
  CHECK(same.state(start + seconds(30)) == CacheState::expired);
  CHECK_FALSE(same.take_all({cluster, 49}, {}, start).ok());
  CHECK_FALSE(same.take_all({8, 51}, {}, start).ok());
  CHECK(same.take_all({cluster, 50}, {}, start).ok());
  CHECK(same.state(start) == CacheState::fresh);

  Cache other = make_cache();
  other.restore(saved, /*same_clock=*/false);
  CHECK(limit_of(other, "a") == 1);
  CHECK(other.state(start) == CacheState::expired);
}

TEST_CASE("more documents than there may be are refused, and change nothing") {
  Cache cache = make_cache();
  REQUIRE(cache.take_all({cluster, 5}, {put("tenants/a", keys_max(1), 3)}, start).ok());
  std::vector<Version> many;
  for (size_t i = 0; i <= documents_max; ++i) many.push_back(put("x/" + std::to_string(i), "", 6));
  CHECK_FALSE(cache.take_all({cluster, 6}, std::move(many), start).ok());
  CHECK(limit_of(cache, "a") == 1);
}

}  // namespace
}  // namespace lattice::control
