// What nodes that share a database are told of each other.
#include <doctest/doctest.h>

#include <map>
#include <string>

#include "config/load.h"

namespace lattice::config {
namespace {

// With keys as in the file: {"cluster.bind", "..."}.
Loaded load_keys(const std::map<std::string, std::string>& keys) {
  std::map<std::string, std::string> environment;
  for (const auto& [key, value] : keys) environment[environment_name(key)] = value;
  return load({std::nullopt, std::move(environment), {}});
}

Loaded load_shared(std::map<std::string, std::string> keys) {
  keys["backend.url"] = "postgresql://h/d";
  return load_keys(keys);
}

bool refused(const Loaded& loaded, std::string_view key) {
  return loaded.problems.size() == 1 && loaded.problems.front().key == key;
}

TEST_CASE("nodes on PostgreSQL have a port of their own, beside the client port") {
  const Loaded loaded = load_shared({});
  REQUIRE(loaded.ok());
  CHECK(loaded.config.cluster.bind == "127.0.0.1:0");
  CHECK(loaded.config.cluster.advertise.empty());
  CHECK(loaded.config.cluster.node_name.empty());
  CHECK(loaded.config.cluster.secrets.empty());
  CHECK(load_shared({{"listeners.grpc.bind", "[::1]:2379"}}).config.cluster.bind == "[::1]:0");
  CHECK(load_keys({}).config.cluster.bind.empty());
}

TEST_CASE("a node's port, address, name and secrets are as configured") {
  const Loaded loaded = load_shared({{"cluster.bind", "0.0.0.0:2380"},
                                     {"cluster.advertise", "n1.example:0"},
                                     {"cluster.node_id", "n1"},
                                     {"cluster.secret", "new"},
                                     {"cluster.previous_secret", "old"},
                                     {"fanout.url", "redis://h"}});
  REQUIRE(loaded.ok());
  CHECK(loaded.warnings.empty());
  CHECK(loaded.config.cluster.bind == "0.0.0.0:2380");
  CHECK(loaded.config.cluster.advertise == "n1.example:0");
  CHECK(loaded.config.cluster.node_name == "n1");
  CHECK(loaded.config.cluster.name == "default");
  CHECK(loaded.config.cluster.secrets == std::vector<std::string>{"new", "old"});
  CHECK(loaded.config.fanout.url == "redis://h");
  const Loaded named = load_shared({{"cluster.name", "member"}, {"cluster.node_id", "n1"}});
  CHECK(named.config.cluster.node_name == "member");
}

TEST_CASE("what is of no use between nodes is told, what cannot work is refused") {
  CHECK(load_keys({{"cluster.bind", "127.0.0.1:2380"}}).warnings.size() == 1);
  CHECK(load_keys({{"cluster.bind", "127.0.0.1:2380"}}).config.cluster.bind.empty());
  CHECK(load_shared({{"env", "production"}, {"cluster.bind", "10.0.0.1:1"}}).warnings.size() == 1);
  CHECK(refused(load_shared({{"cluster.bind", "2380"}}), "cluster.bind"));
  CHECK(refused(load_shared({{"cluster.advertise", "n1"}}), "cluster.advertise"));
  CHECK(refused(load_shared({{"cluster.previous_secret", "x"}}), "cluster.previous_secret"));
}

}  // namespace
}  // namespace lattice::config
