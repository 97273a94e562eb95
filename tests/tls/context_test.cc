#include "tls/context.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tls/tls_pair.h"

namespace lattice::tls {
namespace {

std::string refusal(const Material& material) {
  const auto context = Context::server(material, {});
  REQUIRE_FALSE(context.ok());
  CHECK(context.error() == Error::invalid_argument);
  return context.status().detail();
}

TEST_CASE("files that cannot be used are refused with the reason") {
  const TestAuthority world;
  const TestAuthority other;
  Material files = world.server_files();
  CHECK(Context::server(files, {}).ok());
  files.key = other.server.key;
  CHECK(refusal(files) == "the key does not belong to the certificate");
  files.key = "nonsense";
  CHECK(refusal(files).starts_with("the key file holds no readable PEM key"));
  files = world.server_files();
  files.chain = files.chain.substr(0, files.chain.size() / 2);
  CHECK(refusal(files) == "the certificate file holds no readable PEM certificate");
  files = world.server_files();
  files.ca = "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n";
  CHECK(refusal(files) == "the CA file holds no readable PEM certificate");
}

TEST_CASE("an authority file is taken whole or not at all") {
  const TestAuthority world;
  Material files = world.server_files();
  files.ca += files.ca.substr(0, files.ca.size() / 2);
  CHECK(refusal(files) == "the CA file holds no readable PEM certificate");
}

TEST_CASE("a context knows its certificate") {
  const TestAuthority world;
  const ContextPtr context = *Context::server(world.server_files(), {});
  CHECK(context->names().describe() == "db.example, 127.0.0.1");
  CHECK(context->expiry() > 1'700'000'000);
  CHECK_FALSE(context->expired());
}

TEST_CASE("files are read whole, and what cannot be read is named") {
  char path[] = "/tmp/lattice-tls-XXXXXX";
  close(mkstemp(path));
  std::ofstream(path) << "content";
  CHECK(read_files({path, "", path})->ca == "content");
  unlink(path);
  const auto missing = read_files({path, "", ""});
  CHECK(missing.status().detail() == std::string(path) + ": No such file or directory");
}

TEST_CASE("names that are none are not signed") {
  const TestAuthority world;
  for (const char* host : {"", "a,DNS:b", "a b", "a:1", "a\n"}) {
    CHECK_FALSE(world.authority.issue({"x", {host}, true, false, 1}).ok());
  }
  CHECK(world.authority.issue({"x", {"*.example", "::1"}, true, false, 1}).ok());
}

}  // namespace
}  // namespace lattice::tls
