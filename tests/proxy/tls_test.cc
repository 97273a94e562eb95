// Both ends of HTTP/2 over TLS on one loop: what services see of a client, and what becomes of
// those that do not come so far.
#include <doctest/doctest.h>

#include "proxy/test_client.h"
#include "proxy/tls_world.h"

namespace lattice::proxy {
namespace {

TEST_CASE("a service sees its client's certificate") {
  World world_;
  Caller alice(world_, world().client_files());
  CHECK(alice.call("Who", "") == "alice@");  // an address is no name to ask for
  Caller nobody(world_, {"", "", world().ca});
  CHECK(nobody.call("Who", "") == "nobody@");
}

TEST_CASE("large messages pass both ways") {
  World world_;
  Caller caller(world_, world().client_files());
  std::string large;
  while (large.size() < 5 << 20) large += std::to_string(large.size());
  CHECK((caller.call("Echo", large) == large));
  CHECK(caller.call("Echo", "small") == "small");
}

TEST_CASE("where certificates are required, only open paths do without") {
  World world_;
  world_.router.require_certificates({"/t/Echo"});
  Caller alice(world_, world().client_files());
  CHECK(alice.call("Who", "") == "alice@");
  Caller nobody(world_, {"", "", world().ca});
  CHECK(nobody.call("Who", "") == "a client certificate is required");
  CHECK(nobody.call("Nowhere", "") == "a client certificate is required");
  CHECK(nobody.call("Echo", "x") == "x");
}

TEST_CASE("new connections get new certificates, old ones stay") {
  World world_;
  Caller before(world_, world().client_files());
  CHECK(before.call("Who", "") == "alice@");
  const tls::TestAuthority other;
  world_.source->set(*tls::Context::server(other.server_files(), {.protocols = {"h2"}}));
  CHECK(before.call("Who", "") == "alice@");
  Caller after(world_, other.client_files());
  CHECK(after.call("Who", "") == "alice@");
  Caller outdated(world_, world().client_files());
  CHECK(outdated.call("Who", "").find("certificate is refused") != std::string::npos);
  CHECK(outdated.lost.find("127.0.0.1") != std::string::npos);
}

TEST_CASE("a handshake that does not end is ended") {
  World world_;
  const int silent = connect_to(world_.listener->address());
  const int slow = connect_to(world_.listener->address());
  CHECK(write(slow, "\x16\x03\x01\x02", 4) == 4);
  REQUIRE(world_.until([&] { return world_.failures.count["timeout"] == 2; }));
  CHECK(world_.until([&] { return world_.listener->connection_count() == 0; }));
  for (const int fd : {silent, slow}) {
    char byte = 0;
    CHECK(read(fd, &byte, 1) == 0);
    close(fd);
  }
}

TEST_CASE("a flood of failures is counted, and told of a few") {
  World world_;
  for (int i = 1; i <= 100; ++i) {
    const int fd = connect_to(world_.listener->address());
    CHECK(write(fd, "\x16\x03\x01\xff\xff\xff", 6) == 6);
    REQUIRE(world_.until([&] { return world_.failures.count["protocol"] == i; }));
    close(fd);
  }
  CHECK(world_.failures.told >= 20);
  CHECK(world_.failures.told < 50);
}

TEST_CASE("TLS at a plaintext port is told, and the other way round") {
  World plain(/*with_tls=*/false);
  const int fd = connect_to(plain.listener->address());
  CHECK(write(fd, "\x16\x03\x01\x02\x00", 5) == 5);
  CHECK(plain.until([&] { return plain.failures.count["tls"] == 1; }));
  close(fd);
  World secure;
  const int other = connect_to(secure.listener->address());
  CHECK(write(other, "PRI * HTTP/2.0\r\n", 16) == 16);
  CHECK(secure.until([&] { return secure.failures.count["not_tls"] == 1; }));
  char answer[200] = {};
  CHECK(read(other, answer, sizeof answer) > 0);
  CHECK(std::string(answer).find("sent an HTTP request to an HTTPS server") != std::string::npos);
  close(other);
}

TEST_CASE("a client knows what of TLS its connection failed of") {
  World secure;
  Caller plaintext(secure, nullptr);
  CHECK(plaintext.call("Who", "") == secure.listener->address() + " speaks TLS only");
  CHECK(plaintext.client->failure() == "tls");
  const tls::TestAuthority other;
  Caller believes_others(secure, other.client_files());
  (void)believes_others.call("Who", "");
  CHECK(believes_others.client->failure() == "peer_certificate");
  Caller of_others(secure, {other.client.certificate, other.client.key, world().ca});
  (void)of_others.call("Who", "");
  CHECK(of_others.client->failure() == "own_certificate");
  World plain(/*with_tls=*/false);
  Caller encrypted(plain, world().client_files());
  (void)encrypted.call("Who", "");
  CHECK(encrypted.client->failure() == "not_tls");
  Caller good(secure, world().client_files());
  CHECK(good.call("Who", "") == "alice@");
  CHECK(good.client->failure().empty());
}

}  // namespace
}  // namespace lattice::proxy
