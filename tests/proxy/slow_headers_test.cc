// A header block that never ends holds a connection for nothing; one that was whole, and refused,
// is nobody's slowness.
#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>

#include "loop/loop.h"
#include "proxy/context.h"
#include "proxy/http2_session.h"

namespace lattice::proxy {
namespace {

using namespace std::chrono_literals;

struct Host final : SessionHost {
  void request_flush() override {}
  std::string_view peer() const override { return "test"; }
  std::shared_ptr<const PeerCertificate> peer_certificate() const override { return nullptr; }
  std::string_view server_name() const override { return {}; }
  bool belong_to(const SharedFlow&) override { return true; }
  void take_turns(FairWaiter&) override {}
  void leave_turns(FairWaiter&) override {}
};

std::string frame(uint8_t type, uint8_t flags, uint8_t stream, std::string_view payload) {
  std::string out{0,
                  static_cast<char>(payload.size() >> 8),
                  static_cast<char>(payload.size()),
                  static_cast<char>(type),
                  static_cast<char>(flags),
                  0,
                  0,
                  0,
                  static_cast<char>(stream)};
  return out.append(payload);
}

// Literal, never indexed (RFC 7541 6.2.3), no Huffman coding.
std::string field(std::string_view name, std::string_view value) {
  std::string out(1, '\x10');
  out.append(1, static_cast<char>(name.size())).append(name);
  return out.append(1, static_cast<char>(value.size())).append(value);
}

std::string request_fields() {
  return field(":method", "POST") + field(":scheme", "http") + field(":path", "/t.T/Hang") +
         field("content-type", "application/grpc") + field("te", "trailers");
}

struct Hang final : Call {
  void on_message(Bytes) override {}
  void on_half_close() override {}
  void on_cancel() override {}
};

struct World {
  World() {
    router.add_grpc("/t.T/Hang", [](ServerStream&) { return std::make_unique<Hang>(); });
    limits.concurrent_streams_max = 1;
    context = std::make_unique<Context>(loop, router, limits, nullptr, nullptr,
                                        std::make_shared<ConnectionCounts>());
    session = std::make_unique<Http2Session>(host, *context);
    session->receive("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(NGHTTP2_SETTINGS, 0, 0, ""));
  }

  void headers(uint8_t stream, std::string_view fields) {
    session->receive(frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, fields));
  }
  bool ended_after(Duration time) {
    session->tick(loop.now() + time);
    return session->finished();
  }

  loop::Loop loop;
  Router router;
  Limits limits;
  Host host;
  std::unique_ptr<Context> context;
  std::unique_ptr<Http2Session> session;
};

TEST_CASE("A header block without an end is waited for ten seconds") {
  World world;
  SUBCASE("half a frame") {
    const std::string whole = frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, request_fields());
    world.session->receive(std::string_view(whole).substr(0, whole.size() - 1));
  }
  SUBCASE("no CONTINUATION") {
    world.session->receive(frame(NGHTTP2_HEADERS, 0, 1, request_fields()));
  }
  SUBCASE("one CONTINUATION of more") {
    world.session->receive(frame(NGHTTP2_HEADERS, 0, 1, request_fields()) +
                           frame(NGHTTP2_CONTINUATION, 0, 1, field("a", "b")));
  }
  SUBCASE("of trailers") {
    world.headers(1, request_fields());
    world.session->receive(frame(NGHTTP2_HEADERS, 0, 1, field("a", "b")));
  }
  CHECK_FALSE(world.ended_after(9s));
  CHECK(world.ended_after(11s));
}

// nghttp2 does not report the end of the block of a stream that was reset in between.
TEST_CASE("A header block that was whole is not waited for, whatever became of its request") {
  World world;
  SUBCASE("taken") { world.headers(1, request_fields()); }
  SUBCASE("in pieces") {
    world.session->receive(frame(NGHTTP2_HEADERS, 0, 1, request_fields()));
    world.session->receive(
        frame(NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, field("a", "b")));
  }
  SUBCASE("malformed by HTTP/2") { world.headers(1, request_fields() + field("UPPER", "x")); }
  SUBCASE("malformed by our rules") { world.headers(1, request_fields() + field("te", "gzip")); }
  SUBCASE("too long") {
    std::string fields = request_fields();
    for (int i = 0; i < 400; ++i) fields += field("name", std::string(100, 'x'));
    world.session->receive(
        frame(NGHTTP2_HEADERS, 0, 1, fields.substr(0, 10'000)) +
        frame(NGHTTP2_CONTINUATION, 0, 1, fields.substr(10'000, 16'000)) +
        frame(NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, fields.substr(26'000)));
  }
  SUBCASE("beyond the streams that there may be") {
    world.headers(1, request_fields());
    world.headers(3, request_fields());
  }
  CHECK_FALSE(world.ended_after(11s));
}

TEST_CASE("The next header block has ten seconds of its own") {
  World world;
  world.session->receive(frame(NGHTTP2_HEADERS, 0, 1, request_fields()));
  const Instant begun = world.loop.now();
  while (world.loop.now() < begun + 20ms) world.loop.turn();
  // The first ends and the second begins in one read.
  world.session->receive(frame(NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, "") +
                         frame(NGHTTP2_HEADERS, 0, 3, request_fields()));
  world.session->tick(begun + 10s + 10ms);
  CHECK_FALSE(world.session->finished());
  CHECK(world.ended_after(11s));
}

}  // namespace
}  // namespace lattice::proxy
