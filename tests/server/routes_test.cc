#include "server/routes.h"

#include <doctest/doctest.h>

namespace lattice::server {
namespace {

using Addresses = std::vector<std::string>;

control::Documents documents() {
  control::Documents made;
  made.nodes["n1"] = {.address = "a:1", .client_urls = {}, .version = {}};
  made.nodes["n2"] = {.address = "a:2", .client_urls = {}, .version = {}};
  made.nodes["mute"] = {};  // no other node can reach it
  return made;
}

TEST_CASE("without documents every node serves") {
  control::Documents none = documents();
  none.tenants["t"] = {};
  CHECK(routes_of(none, "n1").empty());
}

TEST_CASE("nodes that are named and alive serve, the leader first") {
  control::Documents made = documents();
  made.tenants["t"].routing_epoch = 4;
  made.routing["t"] = {.nodes = {"n1", "dead", "mute", "n2"}, .leader = "n2"};
  const Routes elsewhere = routes_of(made, "n3");
  REQUIRE(elsewhere.contains("t"));
  const Route& route = elsewhere.at("t");
  CHECK(route.epoch == 4);
  CHECK(route.elsewhere);
  CHECK(route.addresses == Addresses{"a:2", "a:1"});
  CHECK(route.names == std::vector<std::string>{"n2", "n1"});
  CHECK(route.leader == "a:2");
  CHECK_FALSE(route.leads_here);

  const Route here = routes_of(made, "n2").at("t");
  CHECK_FALSE(here.elsewhere);
  CHECK(here.addresses == Addresses{"a:1"});
  CHECK(here.leader.empty());
  CHECK(here.leads_here);
}

TEST_CASE("a tenant that nobody alive serves is still served elsewhere") {
  control::Documents made = documents();
  made.routing["t"] = {.nodes = {"dead"}, .leader = "dead"};
  const Route route = routes_of(made, "n1").at("t");
  CHECK(route.elsewhere);
  CHECK(route.addresses.empty());
  CHECK(route.leader.empty());
}

}  // namespace
}  // namespace lattice::server
