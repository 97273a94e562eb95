// Both ends of HTTP/2 over TLS on one loop: what services see of a client, and what becomes of
// those that do not come so far.
#include <doctest/doctest.h>

#include <map>

#include "proxy/http2_client.h"
#include "proxy/test_client.h"
#include "proxy/test_server.h"
#include "tls/tls_pair.h"

namespace lattice::proxy {
namespace {

const tls::TestAuthority& world() {
  static const tls::TestAuthority authority;
  return authority;
}

std::shared_ptr<tls::Source> server_source() {
  const tls::ServerOptions options{.certificate_optional = true, .protocols = {"h2", "http/1.1"}};
  return std::make_shared<tls::Source>(*tls::Context::server(world().server_files(), options));
}

std::shared_ptr<tls::Source> client_source(const tls::Material& material) {
  return std::make_shared<tls::Source>(*tls::Context::client(material, {.protocols = {"h2"}}));
}

// Answers with who asks.
struct WhoAsks final : Call {
  explicit WhoAsks(ServerStream& to) : stream(to) {}
  void on_message(Bytes) override {
    const PeerCertificate* certificate = stream.peer_certificate();
    const std::string name = certificate == nullptr ? "nobody" : certificate->common_name;
    stream.reply(ByteChain(Bytes::copy(name + "@" + std::string(stream.server_name()))));
  }
  ServerStream& stream;
};

struct Echo final : Call {
  explicit Echo(ServerStream& to) : stream(to) {}
  void on_message(Bytes message) override { stream.reply(ByteChain(std::move(message))); }
  ServerStream& stream;
};

struct Failures final : Observer {
  CallNote on_call_started(std::string_view) override { return nullptr; }
  void on_message_received(CallNote) override {}
  void on_message_sent(CallNote) override {}
  void on_call_finished(CallNote, std::string_view, GrpcCode, Duration) override {}
  void on_bytes(size_t, size_t) override {}
  void on_goaway(std::string_view) override {}
  void on_transport_failure(std::string_view, const TransportFailure& failure, bool tell) override {
    ++count[std::string(failure.reason)];
    told += tell ? 1 : 0;
  }
  std::map<std::string, int> count;
  int told = 0;
};

struct World {
  explicit World(bool with_tls = true) : source(with_tls ? server_source() : nullptr) {
    router.add_grpc("/t/Who", [](ServerStream& s) { return std::make_unique<WhoAsks>(s); });
    router.add_grpc("/t/Echo", [](ServerStream& s) { return std::make_unique<Echo>(s); });
    Limits limits;
    limits.receive_message_bytes_max = 8 << 20;
    limits.preface_timeout = std::chrono::milliseconds(200);
    listener = std::move(*Listener::listen(loop, "127.0.0.1:0", router, limits, &failures,
                                           /*reuse_port=*/false, source));
  }
  bool until(const std::function<bool()>& condition) {
    return TestServer::eventually([&] {
      loop.turn();
      return condition();
    });
  }

  loop::Loop loop;
  Router router;
  Failures failures;
  std::shared_ptr<tls::Source> source;
  std::unique_ptr<Listener> listener;
};

struct Caller final : ClientStreamEvents {
  Caller(World& in, const tls::Material& material) : Caller(in, client_source(material)) {}
  // Null: plaintext.
  Caller(World& in, std::shared_ptr<tls::Source> tls) : world(in), context(in.loop) {
    options.tls = std::move(tls);
    options.message_bytes_max = 8 << 20;
    client = std::make_unique<Http2Client>(context, world.listener->address(), options,
                                           [this](const Status& why) { lost = why.detail(); });
  }
  // The answer, or the status' text.
  std::string call(const std::string& method, const std::string& message) {
    ended = false;
    answer.clear();
    const auto stream = client->open("/t/" + method, {}, *this);
    stream->send(ByteChain(Bytes::copy(message)));
    stream->half_close();
    CHECK(world.until([this] { return ended; }));
    return answer;
  }
  void on_message(Bytes message) override { answer = message.view(); }
  void on_end(const ClientStreamEnd& end) override {
    ended = true;
    if (end.status.code != GrpcCode::ok) answer = end.status.message;
  }

  World& world;
  ClientContext context;
  ClientOptions options;
  std::unique_ptr<Http2Client> client;
  std::string answer, lost;
  bool ended = false;
};

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
