#include "proxy/inflation.h"

#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <vector>

#include "proxy/http2_stream.h"
#include "proxy/listener.h"

namespace lattice::proxy {
namespace {

struct Host final : SessionHost {
  void request_flush() override {}
  std::string_view peer() const override { return {}; }
  std::shared_ptr<const PeerCertificate> peer_certificate() const override { return nullptr; }
  std::string_view server_name() const override { return {}; }
  bool belong_to(const SharedFlow&) override { return true; }
  void take_turns(FairWaiter& work) override { under_way.insert(&work); }
  void leave_turns(FairWaiter& work) override { under_way.erase(&work); }

  std::set<FairWaiter*> under_way;
};

struct World {
  Inflation& add(Host& host) {
    all.push_back(std::make_unique<Inflation>(
        stream.grpc, std::make_unique<GzipInflater>(Bytes::copy("x"), 1000)));
    inflations.add(host, *all.back());
    return *all.back();
  }

  Http2Stream stream{Limits()};
  Inflations inflations;
  std::vector<std::unique_ptr<Inflation>> all;
};

TEST_CASE("A connection's messages are inflated one after the other, in their order") {
  World world;
  Host host;
  Inflation& first = world.add(host);
  Inflation& second = world.add(host);
  Inflation& third = world.add(host);
  CHECK(host.under_way == std::set<FairWaiter*>{&first});
  world.inflations.remove(second);
  world.inflations.remove(first);
  CHECK(host.under_way == std::set<FairWaiter*>{&third});
  world.inflations.remove(third);
  world.inflations.remove(third);  // nothing
  CHECK(host.under_way.empty());
  CHECK_FALSE(world.inflations.has(host));
}

TEST_CASE("Few connections inflate at once, and all take turns") {
  World world;
  std::vector<Host> hosts(10);
  for (int round = 0; round < 3; ++round) {
    for (Host& host : hosts) world.add(host);
  }
  size_t under_way = 0;
  for (const Host& host : hosts) under_way += host.under_way.size();
  CHECK(under_way == Inflations::under_way_max);
  // Who gives up in the line is not waited for.
  for (const size_t gone : {15UL, 5UL, 25UL}) world.inflations.remove(*world.all[gone]);
  CHECK_FALSE(world.inflations.has(hosts[5]));
  for (size_t i = 0; i < world.all.size(); ++i) {
    if (i % 10 == 5) continue;
    CHECK(hosts[i % 10].under_way == std::set<FairWaiter*>{world.all[i].get()});
    world.inflations.remove(*world.all[i]);
  }
  for (Host& host : hosts) {
    CHECK(host.under_way.empty());
    CHECK_FALSE(world.inflations.has(host));
  }
}

}  // namespace
}  // namespace lattice::proxy
