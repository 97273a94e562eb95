// What [tenants] takes and refuses.
#include <doctest/doctest.h>

#include "config/load.h"

namespace lattice::config {
namespace {

Loaded with(const std::string& key, const std::string& text) {
  Request request;
  request.command_line.push_back({"--" + key, "tenants." + key, text});
  return load(request);
}

std::string problem_of(const std::string& key, const std::string& text) {
  const Loaded loaded = with(key, text);
  return loaded.ok() ? "none" : loaded.problems.front().message;
}

TEST_CASE("certificates are mapped to their tenants, and identities may hold anything") {
  const Loaded good = with("certificates", "ci.example.com=a b,O=y=a,admin@example.com=*");
  REQUIRE(good.ok());
  const auto& certificates = good.config.tenants.certificates;
  CHECK(certificates.at("ci.example.com") == std::vector<std::string>{"a", "b"});
  CHECK(certificates.at("O=y") == std::vector<std::string>{"a"});
  CHECK(certificates.at("admin@example.com") == std::vector<std::string>{"*"});
}

TEST_CASE("tenants that cannot be are refused") {
  CHECK(problem_of("default_tenant", "").starts_with("expected a name"));
  CHECK(problem_of("default_tenant", "~1~x").starts_with("expected a name"));
  CHECK(problem_of("create", "a,b c").ends_with("got \"b c\""));
  CHECK(problem_of("create", std::string(64, 'a')).starts_with("expected a name"));
  CHECK(problem_of("certificates", "nobody").starts_with("expected \"identity=tenant"));
  CHECK(problem_of("certificates", "=a").starts_with("expected \"identity=tenant"));
  CHECK(problem_of("certificates", "x=-").starts_with("expected a name"));
  CHECK(problem_of("create", "a,B.c-d_e," + std::string(63, '9')) == "none");
}

TEST_CASE("a host's domain is compared in lower case") {
  const Loaded loaded = with("server_name_domain", "Etcd.Example.COM");
  REQUIRE(loaded.ok());
  CHECK(loaded.config.tenants.server_name_domain == "etcd.example.com");
}

}  // namespace
}  // namespace lattice::config
