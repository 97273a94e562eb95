// Which documents are taken, and what is said of those that are not.
#include "control/documents.h"

#include <doctest/doctest.h>

#include "control/rules.h"

namespace lattice::control {
namespace {

template <class Kind>
Kind read(const std::string& path, const std::string& text) {
  const Result<Document> document =
      parse_document(std::string(documents_prefix) + path, text, testing::rules());
  INFO(document.status().detail());
  REQUIRE(document.ok());
  return std::get<Kind>(*document);
}

std::string refusal(const std::string& path, const std::string& text) {
  const Result<Document> document =
      parse_document(std::string(documents_prefix) + path, text, testing::rules());
  REQUIRE_FALSE(document.ok());
  CHECK(document.error() == Error::invalid_argument);
  return document.status().detail();
}

TEST_CASE("a manifest with everything") {
  const auto manifest = read<Manifest>("tenants/a", R"({
    "format": 1, "active": false, "backend": "default", "routing_epoch": 7,
    "limits": {"keys_max": 10, "quota_bytes": -1},
    "policies": ["gold", "eu"], "identities": ["a.example"]})");
  CHECK_FALSE(manifest.active);
  CHECK(manifest.routing_epoch == 7);
  CHECK(manifest.limits == Limits{{"keys_max", 10}, {"quota_bytes", -1}});
  CHECK(manifest.policies == std::vector<std::string>{"gold", "eu"});
  CHECK(manifest.identities == std::vector<std::string>{"a.example"});
}

TEST_CASE("a manifest needs nothing but its format") {
  CHECK(read<Manifest>("tenants/a", R"({"format": 1})") == Manifest());
}

TEST_CASE("the other kinds") {
  const auto routing =
      read<Routing>("routing/a", R"({"format": 1, "nodes": ["n1", "n2"], "leader": "n2"})");
  CHECK(routing.nodes == std::vector<std::string>{"n1", "n2"});
  CHECK(routing.leader == "n2");
  CHECK(read<Policy>("policies/gold", R"({"format": 1, "limits": {"keys_max": 5}})").limits ==
        Limits{{"keys_max", 5}});
  const NodeRecord node{"10.0.0.1:2380", {"https://n1:2379"}, "1.0"};
  CHECK(read<NodeRecord>("nodes/host:2379", to_json(node)) == node);
  CHECK(node_key("host:2379") == "/clustor/v1/nodes/host:2379");
}

TEST_CASE("refusals name the document, the field and what would be valid") {
  CHECK(refusal("tenants/a", R"({"format": 1, "limits": {"keys_max": "many"}})") ==
        "/clustor/v1/tenants/a: limits.keys_max: expected an integer from 0 to 1000, got \"many\"");
  CHECK(refusal("tenants/a", R"({"format": 1, "limits": {"keys_max": 1001}})") ==
        "/clustor/v1/tenants/a: limits.keys_max: expected an integer from 0 to 1000, got 1001");
  CHECK(refusal("tenants/a", R"({"format": 1, "limits": {"keys": 1}})") ==
        "/clustor/v1/tenants/a: limits.keys: no such limit; there are keys_max, quota_bytes");
  CHECK(refusal("tenants/a", R"({"format": 2})") ==
        "/clustor/v1/tenants/a: format: expected 1, got 2");
  CHECK(refusal("tenants/a", "{}") == "/clustor/v1/tenants/a: format: missing; expected 1");
  CHECK(refusal("policies/a", R"({"format": 1, "limit": {}})") ==
        "/clustor/v1/policies/a: limit: no such field; there are format, limits");
  CHECK(refusal("tenants/a", R"({"format": 1, "active": 1})") ==
        "/clustor/v1/tenants/a: active: expected true or false, got 1");
  CHECK(refusal("tenants/default", R"({"format": 1, "active": false})") ==
        "/clustor/v1/tenants/default: active: expected true, for it is the default tenant");
  CHECK(refusal("tenants/a", R"({"format": 1, "backend": "pg2"})") ==
        "/clustor/v1/tenants/a: backend: expected one of the configured \"default\", got "
        "\"pg2\"");
  CHECK(refusal("routing/a", R"({"format": 1, "nodes": ["n1"], "leader": "n2"})") ==
        "/clustor/v1/routing/a: leader: expected one of nodes, got \"n2\"");
  CHECK(refusal("routing/a", R"({"format": 1})") ==
        "/clustor/v1/routing/a: nodes: missing; expected a list of names of nodes");
  CHECK(refusal("tenants/a", R"({"format": 1, "policies": ["x", "x"]})") ==
        "/clustor/v1/tenants/a: policies: expected a list of at most 1000 names of policies, each "
        "once, got \"x\"");
}

TEST_CASE("what is no document at all") {
  CHECK(refusal("tenants/a", "").find("no JSON") != std::string::npos);
  CHECK(refusal("tenants/a", "{\"format\": 1").find("no JSON") != std::string::npos);
  CHECK(refusal("tenants/a", R"({"format": 1, "format": 1})").find("no JSON") != std::string::npos);
  CHECK(refusal("tenants/a", "[]").find("expected a JSON object") != std::string::npos);
  CHECK(refusal("tenants/a b", R"({"format": 1})").find("expected a name") != std::string::npos);
  CHECK(refusal("tenants/", R"({"format": 1})").find("expected a name") != std::string::npos);
  CHECK(refusal("colours/a", R"({"format": 1})").find("no such kind") != std::string::npos);
  CHECK(refusal("tenants/a", std::string(document_bytes_max + 1, ' ')).find("65536") !=
        std::string::npos);
  // As deep as it may be, and deeper than the parser's stack.
  CHECK(refusal("tenants/a", std::string(1000, '[')).find("no JSON") != std::string::npos);
  CHECK(refusal("tenants/a", std::string(60'000, '[')).find("brackets") != std::string::npos);
}

}  // namespace
}  // namespace lattice::control
