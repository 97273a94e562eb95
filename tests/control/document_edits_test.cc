// What a change leaves of a document, and that the servers take what is written.
#include "control/document_edits.h"

#include <doctest/doctest.h>

#include "control/rules.h"

namespace lattice::control {
namespace {

Manifest parsed(const std::string& text) {
  Result<Document> document = parse_document(manifest_key("a"), text, testing::rules());
  INFO(document.status().detail());
  REQUIRE(document.ok());
  return std::get<Manifest>(*document);
}

TEST_CASE("a manifest keeps what the change does not name") {
  const std::string before = R"({
    "format": 1, "active": false, "backend": "default", "routing_epoch": 7,
    "limits": {"keys_max": 10, "quota_bytes": -1}, "policies": ["gold"], "identities": ["a.b"]})";
  Manifest expected = parsed(before);
  expected.routing_epoch = 9'007'199'254'740'992;  // the greatest
  CHECK(parsed(changed(before, {.routing_epoch = expected.routing_epoch})) == expected);
  expected.routing_epoch = 8;
  CHECK(parsed(changed(before, {.routing_epoch = 8, .backend = "default"})) == expected);
}

TEST_CASE("a tenant without a manifest gets one that says nothing else") {
  CHECK(changed("", {.routing_epoch = 1}) == R"({"format":1,"routing_epoch":1})");
  CHECK(changed("", {.routing_epoch = 2, .backend = "b"}) ==
        R"({"backend":"b","format":1,"routing_epoch":2})");
}

TEST_CASE("a routing document is written as it is read") {
  for (const Routing& routing : {Routing{{"n1", "\"quoted\""}, ""}, Routing{{"n1", "n2"}, "n2"}}) {
    const Result<Document> document =
        parse_document(routing_key("a"), to_json(routing), testing::rules());
    REQUIRE(document.ok());
    CHECK(std::get<Routing>(*document) == routing);
  }
}

}  // namespace
}  // namespace lattice::control
