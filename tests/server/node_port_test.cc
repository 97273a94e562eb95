#include "server/node_port.h"

#include <doctest/doctest.h>

#include "server/loop_environment.h"

namespace lattice::server {
namespace {

TEST_CASE("databases share the port between nodes, a copy of one has another") {
  config::Config config;
  config.cluster.bind = "127.0.0.1:0";
  config.cluster.advertise = "node.example:0";
  loop::Loop loop;
  LoopEnvironment environment(loop);
  const auto log = telemetry::Logger::to_nowhere();
  const TlsSources no_tls;
  NodePort port(config, {loop, environment, *log, no_tls});
  const Keyring keyring({"secret"});
  const auto address_of = [&](const std::string& cluster) {
    const auto place = port.join(cluster, keyring);
    return place.ok() ? place->address : place.status().detail();
  };
  const std::string first = address_of("1");
  CHECK(first.starts_with("node.example:"));
  CHECK_FALSE(first.ends_with(":0"));
  CHECK(address_of("2") == first);
  const std::string other = address_of("1");
  CHECK(other.starts_with("node.example:"));
  CHECK(other != first);
  CHECK(address_of("3") == first);
  CHECK(address_of("2") == other);
}

TEST_CASE("a port that is taken is an error, and nothing is let in") {
  config::Config config;
  config.cluster.bind = "127.0.0.1:0";
  loop::Loop loop;
  LoopEnvironment environment(loop);
  const auto log = telemetry::Logger::to_nowhere();
  const TlsSources no_tls;
  const Keyring keyring({"secret"});
  NodePort port(config, {loop, environment, *log, no_tls});
  const auto place = port.join("1", keyring);
  REQUIRE(place.ok());
  config::Config same = config;
  same.cluster.bind = place->address;
  NodePort second(same, {loop, environment, *log, no_tls});
  CHECK(second.join("1", keyring).error() == Error::io);
  port.close();
  CHECK(second.join("1", keyring).ok());
}

}  // namespace
}  // namespace lattice::server
