// What a tenant may keep: the quota and its alarm, the limits on keys, values and leases.
#include <doctest/doctest.h>

#include <memory>

#include "replica/fixture.h"

namespace lattice::replica {
namespace {

using std::chrono::seconds;

class World : public Fixture {
 public:
  explicit World(const TenantLimits& limits) : Fixture(with_member(42)) {
    start();
    limit(limits);
  }
  static Options with_member(uint64_t id) {
    Options options;
    options.member_id = id;
    return options;
  }
  void limit(const TenantLimits& limits) {
    limits_ = std::make_shared<TenantLimits>(limits);
    replica->set_limits(limits_);
  }
  void restart() {
    replica.reset();
    replica = make();
    replica->set_limits(limits_);
    replica->start();
    run_until([&] { return replica->can_linearize(); });
  }
  std::vector<Alarm> alarms() {
    Answer<StatusResult> answer;
    replica->status(answer.callback());
    return wait(answer)->alarms;
  }
  std::vector<Alarm> change(bool raise, const Alarm& alarm) {
    Answer<AlarmResult> answer;
    replica->alarm({raise, alarm}, answer.callback());
    return wait(answer)->alarms;
  }
  Error revoke(int64_t id) {
    Answer<Revision> answer;
    replica->lease_revoke(LeaseId(id), answer.callback());
    return wait(answer).error();
  }
  Error txn(std::vector<keyspace::RequestOp> success, std::vector<keyspace::RequestOp> failure) {
    Answer<keyspace::TxnResult> answer;
    replica->txn({{}, std::move(success), std::move(failure)}, answer.callback());
    return wait(answer).error();
  }
  template <class... Op>
  static std::vector<keyspace::RequestOp> ops(Op... op) {
    std::vector<keyspace::RequestOp> all;
    (all.emplace_back(std::move(op)), ...);
    return all;
  }

 private:
  SharedLimits limits_;
};

TenantLimits quota(int64_t bytes) {
  TenantLimits limits;
  limits.quota_bytes = bytes;
  return limits;
}

const Alarm no_space{42, alarm_no_space};

// Puts until one is refused.
int fill(World& world, size_t value_bytes) {
  for (int written = 0; written < 1000; ++written) {
    const auto put = world.put("k" + std::to_string(written), std::string(value_bytes, 'x'));
    if (put.ok()) continue;
    CHECK(put.error() == Error::no_space);
    return written;
  }
  return -1;
}

TEST_CASE("a full quota raises NOSPACE; deletions, compaction and clearing it lead out") {
  World world(quota(10'000));
  // 53 and the key for each version; etcd's allowance of 256 for the one that comes.
  CHECK(fill(world, 1000) == 9);
  CHECK(world.alarms() == std::vector<Alarm>{no_space});
  // Also what would fit is refused now.
  CHECK(world.put("a", "1").error() == Error::no_space);
  CHECK(world.grant(1, 60).error() == Error::no_space);
  CHECK(world.txn(world.ops(put_request("a", "1")), {}) == Error::no_space);
  CHECK(world.txn({}, world.ops(put_request("a", "1"))) == Error::no_space);

  CHECK(world.get("k0")->count == 1);
  CHECK(world.txn(world.ops(get_request("k0")), {}) == Error::ok);
  CHECK(world.del("k", "l").ok());
  const int64_t before = world.replica->quota_bytes_used();
  CHECK(world.compact(11, true).ok());
  CHECK(world.replica->quota_bytes_used() < before / 5);

  CHECK(world.put("a", "1").error() == Error::no_space);  // the alarm stands until it is cleared
  CHECK(world.change(false, no_space) == std::vector<Alarm>{no_space});
  CHECK(world.put("a", "1").ok());
  CHECK(world.alarms().empty());
}

TEST_CASE("the alarm survives a restart, and so does its end") {
  World world(quota(5'000));
  fill(world, 1000);
  world.restart();
  CHECK(world.alarms() == std::vector<Alarm>{no_space});
  CHECK(world.put("a", "1").error() == Error::no_space);
  world.limit(quota(-1));
  CHECK(world.put("a", "1").error() == Error::no_space);
  world.change(false, no_space);
  CHECK(world.put("a", "1").ok());
  world.restart();
  CHECK(world.alarms().empty());
  CHECK(world.put("b", "1").ok());
}

TEST_CASE("one batch does not outgrow the quota, and refuses all that follows the alarm") {
  World world(quota(5'000));
  std::vector<Answer<keyspace::PutResult>> answers(20);
  for (size_t i = 0; i < answers.size(); ++i) {
    // The last ones would fit.
    const size_t size = i < 10 ? 1000 : 1;
    world.replica->put(put_request("k" + std::to_string(i), std::string(size, 'x')),
                       answers[i].callback());
  }
  for (size_t i = 0; i < answers.size(); ++i) {
    CHECK(world.wait(answers[i]).error() == (i < 4 ? Error::ok : Error::no_space));
  }
  CHECK(world.alarms() == std::vector<Alarm>{no_space});
  CHECK(world.replica->quota_bytes_used() < 5'000);
}

TEST_CASE("an alarm that is set and cleared in one batch leaves no trace") {
  World world(quota(-1));
  Answer<AlarmResult> raised;
  Answer<keyspace::PutResult> between;
  Answer<AlarmResult> cleared;
  Answer<keyspace::PutResult> after;
  world.replica->alarm({true, no_space}, raised.callback());
  world.replica->put(put_request("a", "1"), between.callback());
  world.replica->alarm({false, no_space}, cleared.callback());
  world.replica->put(put_request("a", "1"), after.callback());
  CHECK(world.wait(raised)->alarms.size() == 1);
  CHECK(world.wait(between).error() == Error::no_space);
  CHECK(world.wait(cleared)->alarms.size() == 1);
  CHECK(world.wait(after).ok());
  CHECK(world.alarms().empty());
}

TEST_CASE("CORRUPT refuses every change, and expiry; reads and renewals go on") {
  World world(quota(-1));
  CHECK(world.grant(1, 5).ok());
  CHECK(world.put("a", "1", 1).ok());
  CHECK(world.change(true, {7, alarm_corrupt}).size() == 1);
  CHECK(world.put("a", "2").error() == Error::corrupt);
  CHECK(world.del("a").error() == Error::corrupt);
  CHECK(world.txn(world.ops(keyspace::DeleteRangeRequest{{"a", ""}, false}), {}) == Error::corrupt);
  CHECK(world.compact(2).error() == Error::corrupt);
  CHECK(world.grant(2, 60).error() == Error::corrupt);
  CHECK(world.revoke(1) == Error::corrupt);
  CHECK(world.get("a")->count == 1);
  world.run_for(seconds(20));
  CHECK(world.get("a")->count == 1);
  CHECK(world.change(false, {7, alarm_corrupt}).size() == 1);
  world.run_for(seconds(2));
  CHECK(world.get("a")->count == 0);
}

TEST_CASE("the number of keys is limited; existing ones go on changing") {
  TenantLimits limits;
  limits.keys_max = 2;
  World world(limits);
  CHECK(world.put("a", "1").ok());
  CHECK(world.put("b", "1").ok());
  const auto refused = world.put("c", "1");
  CHECK(refused.error() == Error::resource_exhausted);
  CHECK(refused.status().detail() == "lattice: the tenant's limit of 2 keys is reached");
  CHECK(world.put("b", "2").ok());
  CHECK(world.txn(world.ops(put_request("a", "2"), put_request("b", "3")), {}) == Error::ok);
  CHECK(world.txn({}, world.ops(put_request("d", "1"))) == Error::resource_exhausted);
  CHECK(world.del("a").ok());
  CHECK(world.txn(world.ops(put_request("c", "1")), {}) == Error::ok);
  CHECK(world.put("a", "1").error() == Error::resource_exhausted);
  CHECK(world.alarms().empty());
}

TEST_CASE("keys and values have a size, in transactions too") {
  TenantLimits limits;
  limits.key_bytes_max = 3;
  limits.value_bytes_max = 5;
  World world(limits);
  CHECK(world.put("abc", "12345").ok());
  CHECK(world.put("abcd", "").error() == Error::request_too_large);
  CHECK(world.put("abc", "123456").error() == Error::request_too_large);
  auto nested = std::make_unique<keyspace::TxnRequest>();
  nested->failure.emplace_back(put_request("abcd", ""));
  CHECK(world.txn(world.ops(std::move(nested)), {}) == Error::request_too_large);
  CHECK(world.del("abcd").ok());
}

TEST_CASE("leases are counted, and their TTLs kept within bounds") {
  TenantLimits limits;
  limits.leases_max = 2;
  limits.lease_ttl_seconds_default = 30;
  limits.lease_ttl_seconds_max = 100;
  World world(limits);
  CHECK(world.grant(1, 0)->ttl_seconds == 30);
  CHECK(world.grant(2, 9'000'000'001)->ttl_seconds == 100);
  CHECK(world.grant(3, 60).error() == Error::resource_exhausted);
  CHECK(world.revoke(1) == Error::ok);
  CHECK(world.grant(3, 1)->ttl_seconds == 2);
  world.limit({});
  CHECK(world.grant(4, 9'000'000'001).error() == Error::lease_ttl_too_large);
  CHECK(world.grant(5, 0)->ttl_seconds == 2);
}

TEST_CASE("every replica counts the same bytes") {
  World world(quota(-1));
  CHECK(world.grant(1, 600).ok());
  for (int i = 0; i < 50; ++i) CHECK(world.put("k" + std::to_string(i % 7), "v", i % 2).ok());
  CHECK(world.del("k0").ok());
  const int64_t used = world.replica->quota_bytes_used();
  world.restart();
  CHECK(world.replica->quota_bytes_used() == used);
  CHECK(world.compact(30, true).ok());
  CHECK(world.compact(52, true).ok());
  const int64_t compacted = world.replica->quota_bytes_used();
  CHECK(compacted < used);
  world.restart();
  CHECK(world.replica->quota_bytes_used() == compacted);
}

}  // namespace
}  // namespace lattice::replica
