// Both ends of HTTP/2 over TLS on one loop, which the test turns by hand: a listener whose services
// tell who asks, and callers. What became of those that never came to ask is in `failures`.
// Thread: one, the listener's handshakes aside.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "proxy/http2_client.h"
#include "proxy/listener.h"
#include "proxy/test_server.h"
#include "tls/tls_pair.h"

namespace lattice::proxy {

inline const tls::TestAuthority& world() {
  static const tls::TestAuthority authority;
  return authority;
}

inline std::shared_ptr<tls::Source> server_source() {
  const tls::ServerOptions options{.certificate_optional = true, .protocols = {"h2", "http/1.1"}};
  return std::make_shared<tls::Source>(*tls::Context::server(world().server_files(), options));
}

inline std::shared_ptr<tls::Source> client_source(const tls::Material& material) {
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
  explicit World(bool with_tls = true, Duration preface_timeout = std::chrono::milliseconds(200))
      : source(with_tls ? server_source() : nullptr) {
    router.add_grpc("/t/Who", [](ServerStream& s) { return std::make_unique<WhoAsks>(s); });
    router.add_grpc("/t/Echo", [](ServerStream& s) { return std::make_unique<Echo>(s); });
    Limits limits;
    limits.receive_message_bytes_max = 8 << 20;
    limits.preface_timeout = preface_timeout;
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

}  // namespace lattice::proxy
