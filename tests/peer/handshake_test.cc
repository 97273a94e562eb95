#include "peer/handshake.h"

#include <doctest/doctest.h>

namespace lattice::peer {
namespace {

constexpr Nonce client_nonce = {1, 2, 3};
constexpr Nonce server_nonce = {4, 5, 6};

struct Outcome {
  std::string client;  // what the client found wrong
  std::string server;
  bool ok() const { return client.empty() && server.empty(); }
};

Outcome shake(const std::vector<std::string>& client_secrets,
              const std::vector<std::string>& server_secrets, const std::string& cluster = "c") {
  const Keyring client_ring(client_secrets), server_ring(server_secrets);
  const ClientHandshake client(client_ring, "c", client_nonce);
  ServerHandshake server(server_ring, cluster, server_nonce);
  Result<std::string> welcome = server.on_hello(client.hello());
  if (!welcome.ok()) return {"", welcome.status().detail()};
  Result<ClientHandshake::Success> success = client.on_welcome(*welcome);
  if (!success.ok()) return {success.status().detail(), ""};
  Result<FrameKeys> keys = server.on_proof(success->proof);
  if (!keys.ok()) return {"", keys.status().detail()};
  const Bytes sealed = success->keys.client.seal("hello");
  CHECK(keys->client.open(sealed.view()) == "hello");
  const Bytes answer = keys->server.seal("answer");
  CHECK(success->keys.server.open(answer.view()) == "answer");
  return {};
}

}  // namespace

TEST_CASE("nodes with a common secret understand each other, also while it is replaced") {
  CHECK(shake({"one"}, {"one"}).ok());
  CHECK(shake({"new", "old"}, {"old"}).ok());
  CHECK(shake({"old"}, {"new", "old"}).ok());
  CHECK(shake({"new", "old"}, {"old", "new"}).ok());
  CHECK_FALSE(shake({"one"}, {"two"}).ok());
  CHECK_FALSE(shake({"one"}, {"one"}, "another cluster").ok());
}

TEST_CASE("a handshake with any byte changed fails, and malformed ones do no harm") {
  const Keyring ring({"secret"});
  const ClientHandshake client(ring, "c", client_nonce);
  const std::string hello = client.hello();
  ServerHandshake honest(ring, "c", server_nonce);
  const std::string welcome = *honest.on_hello(hello);
  const std::string proof = client.on_welcome(welcome)->proof;
  REQUIRE(honest.on_proof(proof).ok());
  for (size_t i = 0; i < welcome.size(); ++i) {
    std::string altered = welcome;
    altered[i] ^= 1;
    CHECK_FALSE(client.on_welcome(altered).ok());
    CHECK_FALSE(client.on_welcome(welcome.substr(0, i)).ok());
  }
  for (size_t i = 0; i < proof.size(); ++i) {
    std::string altered = proof;
    altered[i] ^= 1;
    CHECK_FALSE(honest.on_proof(altered).ok());
  }
  for (size_t i = 0; i < hello.size(); ++i) {
    std::string altered = hello;
    altered[i] ^= 1;
    ServerHandshake server(ring, "c", server_nonce);
    const Result<std::string> answered = server.on_hello(altered);
    if (answered.ok()) CHECK_FALSE(client.on_welcome(*answered).ok());
  }
  CHECK_FALSE(honest.on_hello(std::string(2000, 'x')).ok());
  // A server that turns the client's words back at it proves nothing.
  CHECK_FALSE(client.on_welcome(hello).ok());
}

TEST_CASE("a frame opens once, in its turn, and unchanged") {
  const Digest key = sha256("key");
  FrameKey sender(key);
  const std::string first(sender.seal("first").view());
  const std::string second(sender.seal("second").view());
  FrameKey receiver(key);
  CHECK(receiver.open(first) == "first");
  CHECK_FALSE(receiver.open(first));  // again
  FrameKey skipping(key);
  CHECK_FALSE(skipping.open(second));  // the first was left out
  for (size_t i = 0; i < first.size(); ++i) {
    std::string altered = first;
    altered[i] ^= 0x40;
    FrameKey fresh(key);
    CHECK_FALSE(fresh.open(altered));
  }
  FrameKey other(sha256("another key"));
  CHECK_FALSE(other.open(first));
  FrameKey fresh(key);
  CHECK_FALSE(fresh.open("short"));
}

TEST_CASE("a frame's MAC is HMAC-SHA256 over its number and its bytes") {
  const Digest key = sha256("key");
  FrameKey sender(key);
  sender.seal("zero");
  const Bytes sealed = sender.seal("text");
  const std::string_view raw_key(reinterpret_cast<const char*>(key.data()), key.size());
  const Digest mac = hmac_sha256(raw_key, std::string("\1\0\0\0\0\0\0\0", 8) + "text");
  CHECK(sealed.view().substr(0, 32) ==
        std::string_view(reinterpret_cast<const char*>(mac.data()), 32));
  CHECK(sealed.view().substr(32) == "text");
}

}  // namespace lattice::peer
