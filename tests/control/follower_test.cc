// Following members that answer, do not, or answer wrongly.
#include "control/follower.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <thread>

#include "control/fake_member.h"
#include "control/registration.h"
#include "control/rules.h"

namespace lattice::control {
namespace {

using std::chrono::milliseconds;
using testing::FakeMember;

constexpr const char* manifest = R"({"format": 1})";

// A cache and its follower, as the server has them.
struct World final : Follower::Host {
  explicit World(size_t size) : cache({std::chrono::hours(1), {}, testing::rules()}) {
    for (size_t i = 0; i < size; ++i) members.push_back(std::make_unique<FakeMember>(loop));
  }
  ~World() override {
    registration.reset();
    follower.reset();
    members.clear();
  }
  void start() {
    Follower::Options options;
    for (const auto& member : members) options.endpoints.push_back(member->address());
    options.probe_interval = milliseconds(20);
    options.request_timeout = milliseconds(300);
    options.backoff_max = milliseconds(100);
    follower = std::make_unique<Follower>(loop, std::move(options), *this);
    follower->start();
  }
  bool until(const std::function<bool()>& condition) {
    const Instant give_up = loop.fresh_now() + std::chrono::seconds(10);
    while (!condition() && loop.fresh_now() < give_up) {
      loop.turn();
      std::this_thread::sleep_for(milliseconds(1));
    }
    return condition();
  }
  bool has(const std::string& tenant) { return cache.documents()->tenants.contains(tenant); }
  bool said(const std::string& trouble) {
    return std::ranges::any_of(
        troubles, [&](const std::string& each) { return each.find(trouble) != std::string::npos; });
  }
  FakeMember& member(size_t i = 0) { return *members[i]; }

  Status on_all(const Origin& origin, std::vector<Version> all, Instant asked_at) override {
    return cache.take_all(origin, std::move(all), asked_at);
  }
  Status on_changes(uint64_t cluster_id, std::vector<Version> changes) override {
    return cache.take_changes(cluster_id, std::move(changes));
  }
  Result<bool> on_probe(const Origin& origin, int64_t count, int64_t newest,
                        Instant asked_at) override {
    return cache.confirm(origin, count, newest, asked_at);
  }
  void on_connected(const std::string& endpoint, Connection& connection) override {
    connected.push_back(endpoint);
    if (registration != nullptr) registration->on_connected(connection);
  }
  void on_disconnected(const std::string&, const std::string& reason) override {
    troubles.push_back(reason);
    if (registration != nullptr) registration->on_disconnected();
  }
  void random_bytes(std::span<uint8_t> out) override { std::ranges::fill(out, 0); }

  loop::Loop loop;
  Cache cache;
  std::vector<std::unique_ptr<FakeMember>> members;
  std::vector<std::string> connected;
  std::vector<std::string> troubles;
  std::unique_ptr<Registration> registration;
  std::unique_ptr<Follower> follower;
};

TEST_CASE("follower: a list of several pages is read at one revision") {
  World world(1);
  for (int i = 0; i < 100; ++i) world.member().put("tenants/t" + std::to_string(i), manifest);
  world.start();
  REQUIRE(world.until([&] { return world.member().probes > 2; }));
  CHECK(world.cache.documents()->tenants.size() == 100);
  CHECK(world.member().lists == 1);
  CHECK(world.member().page_revisions == std::set<int64_t>{101});
  CHECK(world.cache.origin().revision == 101);
  CHECK(world.troubles.empty());
}

TEST_CASE("follower: changes come by the watch, and need no other list") {
  World world(1);
  world.start();
  REQUIRE(world.until([&] { return world.member().probes > 0; }));
  world.member().put("tenants/a", manifest);
  REQUIRE(world.until([&] { return world.has("a"); }));
  world.member().remove("tenants/a");
  REQUIRE(world.until([&] { return !world.has("a"); }));
  CHECK(world.troubles.empty());
}

TEST_CASE("follower: what a watch keeps back is found by the probe") {
  World world(1);
  world.start();
  REQUIRE(world.until([&] { return world.member().probes > 0; }));
  world.member().mute_watch = true;
  world.member().put("tenants/a", manifest);
  REQUIRE(world.until([&] { return world.has("a"); }));
  world.member().remove("tenants/a");
  REQUIRE(world.until([&] { return !world.has("a"); }));
  CHECK(world.member().lists == 3);
  CHECK(world.connected.size() == 1);
}

TEST_CASE("follower: a member that falls silent is left, and proves nothing meanwhile") {
  World world(2);
  world.start();
  REQUIRE(world.until([&] { return world.member(0).probes > 0; }));
  world.member(0).silent = true;
  world.member(1).silent = true;
  world.loop.turn();
  world.until([&] { return !world.troubles.empty(); });
  const Instant proved = world.cache.freshness().proved_at();
  REQUIRE(world.until([&] { return world.troubles.size() >= 3; }));
  CHECK(world.said("no answer in time"));
  CHECK(world.cache.freshness().proved_at() == proved);
  world.member(1).silent = false;
  REQUIRE(world.until([&] { return world.member(1).probes > 0; }));
  CHECK(world.connected.back() == world.member(1).address());
  CHECK(world.cache.freshness().proved_at() > proved);
}

TEST_CASE("follower: garbage and an end of the watch send it to the next member") {
  World world(2);
  world.member(0).garbage = true;
  world.start();
  REQUIRE(world.until([&] { return world.member(1).probes > 0; }));
  CHECK(world.said("no such message"));
  world.member(0).garbage = false;
  world.member(1).cancel_watches();
  REQUIRE(world.until([&] { return world.member(0).probes > 0; }));
  CHECK(world.said("it has ended the watch"));
}

TEST_CASE("follower: members of another cluster are not believed") {
  World world(2);
  world.start();
  REQUIRE(world.until([&] { return world.member(0).probes > 0; }));
  world.member(1).cluster_id = 8;
  world.member(1).put("tenants/b", manifest);
  world.member(0).silent = true;
  REQUIRE(world.until([&] { return world.said("another control plane answers"); }));
  CHECK_FALSE(world.has("b"));
  CHECK(world.connected == std::vector<std::string>{world.member(0).address()});
}

TEST_CASE("registration: the record is there under a lease, and again when that has run out") {
  World world(1);
  Registration::Options options;
  options.key = node_key("n1");
  options.document = to_json({"10.0.0.1:1", {}, "1"});
  options.request_timeout = milliseconds(300);
  options.on_trouble = [](const std::string& trouble) { FAIL_CHECK(trouble); };
  world.registration = std::make_unique<Registration>(world.loop, std::move(options));
  world.start();
  REQUIRE(world.until([&] { return world.cache.documents()->nodes.contains("n1"); }));
  CHECK(world.member().leases.size() == 1);
  world.member().remove("nodes/n1");
  REQUIRE(world.until([&] { return !world.cache.documents()->nodes.contains("n1"); }));
  // The next connection asks for the lease first.
  world.member().cancel_watches();
  REQUIRE(world.until([&] { return world.cache.documents()->nodes.contains("n1"); }));
  CHECK(world.member().leases.size() == 2);
}

}  // namespace
}  // namespace lattice::control
