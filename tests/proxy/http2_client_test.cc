#include "proxy/http2_client.h"

#include <doctest/doctest.h>

#include <map>
#include <optional>

#include "proxy/test_server.h"

namespace lattice::proxy {
namespace {

struct Seen final : ClientStreamEvents {
  void on_headers(const Metadata& metadata) override { headers = metadata; }
  void on_message(Bytes message) override { messages.emplace_back(message.view()); }
  void on_sent(size_t bytes) override { sent += bytes; }
  void on_end(const ClientStreamEnd& how) override {
    ++ends;
    end = how;
  }
  std::optional<Metadata> headers;
  std::vector<std::string> messages;
  size_t sent = 0;
  int ends = 0;
  ClientStreamEnd end;
};

// A client on a loop that the test drives.
struct Client {
  explicit Client(const std::string& address, const ClientOptions& options = {})
      : http2(std::make_unique<Http2Client>(context, address, options, [this](const Status& why) {
          ++closed;
          reason = why;
        })) {}
  bool until(const std::function<bool()>& condition) {
    return TestServer::eventually([&] {
      loop.turn();
      return condition();
    });
  }
  std::unique_ptr<ClientStream> open(const std::string& method, Seen& seen,
                                     const Metadata& metadata = {}) {
    return http2->open("/test.Test/" + method, metadata, seen);
  }

  loop::Loop loop;
  ClientContext context{loop};
  int closed = 0;
  Status reason;
  std::unique_ptr<Http2Client> http2;
};

ByteChain text(std::string_view bytes) { return ByteChain(Bytes::copy(bytes)); }

TEST_CASE("a call sends messages both ways and ends with its status") {
  TestServer server;
  Client client(server.address);
  Seen seen;
  const auto stream = client.open("Echo", seen);
  stream->send(text("one"));
  CHECK(seen.ends == 0);
  REQUIRE(client.until([&] { return seen.messages.size() == 1; }));
  stream->send(text(""));
  stream->send(text(std::string(1 << 20, 'x')));
  stream->half_close();
  stream->send(text("too late"));
  REQUIRE(client.until([&] { return seen.ends == 1; }));
  REQUIRE(seen.messages.size() == 3);
  CHECK(seen.messages[0] == "one");
  CHECK(seen.messages[1].empty());
  CHECK(seen.messages[2] == std::string(1 << 20, 'x'));
  CHECK(seen.end.status.code == GrpcCode::ok);
  CHECK_FALSE(seen.end.unsent);
  CHECK(seen.headers.has_value());
}

TEST_CASE("many calls share the connection") {
  TestServer server;
  Client client(server.address);
  std::vector<Seen> seen(500);
  std::vector<std::unique_ptr<ClientStream>> streams;
  for (size_t i = 0; i < seen.size(); ++i) {
    streams.push_back(client.open("Echo", seen[i]));
    streams.back()->send(text(std::to_string(i)));
    streams.back()->half_close();
  }
  REQUIRE(client.until([&] { return client.http2->open_streams() == 0; }));
  for (size_t i = 0; i < seen.size(); ++i) {
    CHECK(seen[i].messages == std::vector<std::string>{std::to_string(i)});
    CHECK(seen[i].end.status.code == GrpcCode::ok);
    CHECK(seen[i].sent == std::to_string(i).size());
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("statuses, texts and metadata pass as gRPC has them") {
  TestServer server;
  Client client(server.address);
  Seen failed, unknown, metadata;
  const auto a = client.open("Fail", failed, {{"code", "5"}, {"text", "not \xc3\xa4 there"}});
  a->send(text("x"));
  const auto b = client.open("Nothing", unknown);
  const auto c = client.open("Metadata", metadata, {{"name", "value"}});
  c->send(text("x"));
  c->half_close();
  REQUIRE(client.until([&] { return failed.ends + unknown.ends + metadata.ends == 3; }));
  CHECK(failed.end.status.code == GrpcCode::not_found);
  CHECK(failed.end.status.message == "not \xc3\xa4 there");
  CHECK(unknown.end.status.code == GrpcCode::unimplemented);
  REQUIRE(metadata.messages.size() == 1);
  CHECK(metadata.messages[0].find("name=value") != std::string::npos);
}

TEST_CASE("flow control holds both ways: what waits is counted, what is paused stops") {
  TestServer server;
  ClientOptions options;
  options.stream_window = 256 << 10;
  Client client(server.address, options);
  Seen seen;
  const auto stream = client.open("Flood", seen);
  stream->pause_input(true);
  stream->send(text("100"));
  REQUIRE(client.until([&] { return seen.messages.size() >= 3; }));
  for (int i = 0; i < 100; ++i) client.loop.turn();
  CHECK(seen.messages.size() <= 4);
  stream->pause_input(false);
  REQUIRE(client.until([&] { return seen.messages.size() > 4; }));
  stream->pause_input(true);
  stream->pause_input(false);
  REQUIRE(client.until([&] { return seen.ends == 1; }));
  CHECK(seen.messages.size() == 100);

  Seen hanging;
  const auto hang = client.open("Hang", hanging);
  for (int i = 0; i < 40; ++i) hang->send(text(std::string(1 << 20, 'x')));
  CHECK(hang->pending_bytes() == 40 << 20);
  CHECK(hang->taken_bytes() == 0);
  REQUIRE(client.until([&] { return hang->taken_bytes() > 0; }));
  CHECK(hang->pending_bytes() + hang->taken_bytes() == 40 << 20);
}

TEST_CASE("a call that is destroyed is cancelled, wherever it stands") {
  TestServer server;
  Client client(server.address);
  Seen seen;
  for (int turns = 0; turns < 20; ++turns) {
    auto stream = client.open("Hang", seen);
    stream->send(text("x"));
    for (int i = 0; i < turns; ++i) client.loop.turn();
    stream.reset();
  }
  REQUIRE(client.until([&] {
    return server.counters.started == server.counters.cancelled && server.connections();
  }));
  CHECK(seen.ends == 0);
  CHECK(client.http2->open_streams() == 0);
}

TEST_CASE("streams above a GOAWAY and refused ones are unsent, others are not") {
  auto server = std::make_unique<TestServer>();
  Client client(server->address);
  Seen open, late;
  const auto stream = client.open("Hang", open);
  stream->send(text("x"));
  REQUIRE(client.until([&] { return server->counters.started == 1; }));
  server->drain(std::chrono::milliseconds(300));
  REQUIRE(client.until([&] { return !client.http2->accepts_streams(); }));
  CHECK(open.ends == 0);
  REQUIRE(client.until([&] { return open.ends == 1; }));
  CHECK_FALSE(open.end.unsent);
  CHECK(open.end.status.code == GrpcCode::unavailable);
  REQUIRE(client.until([&] { return client.closed == 1; }));

  Limits limits;
  limits.concurrent_streams_max = 0;
  TestServer refusing(limits);
  Client other(refusing.address);
  const auto refused = other.open("Echo", late);
  REQUIRE(other.until([&] { return late.ends == 1; }));
  CHECK(late.end.unsent);
}

TEST_CASE("a connection that never comes ends its calls as unsent, then closes") {
  std::string address;
  { address = TestServer().address; }
  Client client(address);
  Seen seen;
  const auto stream = client.open("Echo", seen);
  stream->send(text("x"));
  CHECK(client.closed == 0);
  REQUIRE(client.until([&] { return client.closed == 1; }));
  CHECK(seen.ends == 1);
  CHECK(seen.end.unsent);
  CHECK(client.reason.detail().find(address) != std::string::npos);
  stream->send(text("y"));
  CHECK(stream->taken_bytes() == 0);
}

TEST_CASE("closing within an event stops every other event") {
  TestServer server;
  Client client(server.address);
  struct Closing final : ClientStreamEvents {
    void on_message(Bytes) override {
      ++messages;
      client->close();
    }
    void on_end(const ClientStreamEnd&) override { ++messages; }
    Http2Client* client = nullptr;
    int messages = 0;
  };
  Closing first, second;
  first.client = second.client = client.http2.get();
  const auto a = client.http2->open("/test.Test/Echo", {}, first);
  const auto b = client.http2->open("/test.Test/Echo", {}, second);
  for (int i = 0; i < 5; ++i) {
    a->send(text("x"));
    b->send(text("x"));
  }
  REQUIRE(client.until([&] { return first.messages + second.messages > 0; }));
  for (int i = 0; i < 20; ++i) client.loop.turn();
  CHECK(first.messages + second.messages == 1);
  CHECK(client.closed == 0);
}

}  // namespace
}  // namespace lattice::proxy
