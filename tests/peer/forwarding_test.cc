// Requests that one node passes on to another, and what becomes of them when one of the three is
// slow, stops or goes.
#include <doctest/doctest.h>

#include "peer/forward_world.h"
#include "peer/method.h"
#include "proxy/test_client.h"

namespace lattice::peer {
namespace {

using Outcome = ForwardingCall::Outcome;

ByteChain text(std::string_view bytes) { return ByteChain(Bytes::copy(bytes)); }

// The first call that the service has, once it is there with a message.
Served* served(loop::Loop& loop, ServingNode& node) {
  const bool came =
      run_until(loop, [&] { return !node.calls.empty() && !node.calls.front()->messages.empty(); });
  return came ? node.calls.front() : nullptr;
}

TEST_CASE("a request arrives as its client has sent it, and its answer as the service gave it") {
  loop::Loop loop;
  ServingNode node(loop);
  EdgeNode edge(loop);
  EdgeStream client({{"token", "abc"}, {"data-bin", std::string("\x00\xff", 2)}});
  client.set_certificate({"admin", {"a.example"}, {"spiffe://x/tenant/y"}});
  client.set_server_name("team-a.example");
  const auto call = edge.begin(client, {node.address()});
  call->on_message(Bytes::copy("question"));
  call->on_half_close();
  Served* const there = served(loop, node);
  REQUIRE(there != nullptr);
  CHECK(there->messages == std::vector<std::string>{"question"});
  CHECK(run_until(loop, [&] { return there->half_closed; }));
  proxy::ServerStream& stream = there->stream;
  REQUIRE(stream.forwarded() != nullptr);
  CHECK(stream.forwarded()->tenant == "team-a");
  CHECK(stream.forwarded()->routing_epoch == 7);
  CHECK(stream.peer() == client.peer());
  CHECK(stream.server_name() == "team-a.example");
  REQUIRE(stream.peer_certificate() != nullptr);
  CHECK(stream.peer_certificate()->common_name == "admin");
  CHECK(stream.peer_certificate()->uris == std::vector<std::string>{"spiffe://x/tenant/y"});
  CHECK(stream.metadata("token") == "abc");
  CHECK(stream.metadata("data-bin") == std::string_view("\x00\xff", 2));
  CHECK(stream.metadata(forwarded_header).empty());

  stream.add_header("lattice-routing-epoch", "7");
  stream.send(text("answer"));
  stream.finish({proxy::GrpcCode::not_found, "no \xc3\xa4 here", {{"x-bin", "\x01\x02"}}});
  REQUIRE(run_until(loop, [&] { return client.status.has_value(); }));
  CHECK(client.body == proxy::grpc_frame("answer"));
  CHECK(client.headers == proxy::Metadata{{"lattice-routing-epoch", "7"}});
  CHECK(client.status->code == proxy::GrpcCode::not_found);
  CHECK(client.status->message == "no \xc3\xa4 here");
  CHECK(client.status->trailers == proxy::Metadata{{"x-bin", "\x01\x02"}});
  CHECK(call->outcome == Outcome::answered);
}

TEST_CASE("a client that leaves is gone where it is served") {
  loop::Loop loop;
  ServingNode node(loop);
  EdgeNode edge(loop);
  EdgeStream client;
  auto call = edge.begin(client, {node.address()});
  call->on_message(Bytes::copy("question"));
  Served* const there = served(loop, node);
  REQUIRE(there != nullptr);
  call->on_cancel();
  call.reset();
  CHECK(run_until(loop, [&] { return node.calls.empty(); }));
}

TEST_CASE("a client that takes nothing stops the service, not this node's memory") {
  loop::Loop loop;
  ServingNode node(loop);
  EdgeNode edge(loop);
  EdgeStream client;
  client.stuck = true;
  const auto call = edge.begin(client, {node.address()});
  call->on_message(Bytes::copy("question"));
  Served* const there = served(loop, node);
  REQUIRE(there != nullptr);
  constexpr size_t size = 32 << 20;
  there->stream.send(text(std::string(size, 'x')));
  there->stream.finish({});
  run_until(
      loop, [] { return false; }, std::chrono::milliseconds(200));
  CHECK(client.body.size() < (2 << 20));
  CHECK_FALSE(client.status.has_value());
  // It takes all of it, a little at a time.
  client.stuck = false;
  client.pending = 0;
  call->on_sent(1);
  REQUIRE(run_until(loop, [&] { return client.status.has_value(); }));
  CHECK(client.body.size() == size + 5);
}

TEST_CASE("a service that takes nothing stops the client") {
  loop::Loop loop;
  ServingNode node(loop);
  EdgeNode edge(loop);
  EdgeStream client;
  const auto call = edge.begin(client, {node.address()});
  CHECK(client.paused);  // until there is a connection
  call->on_message(Bytes::copy("question"));
  Served* const there = served(loop, node);
  REQUIRE(there != nullptr);
  CHECK_FALSE(client.paused);
  there->stream.pause_input(true);
  for (int i = 0; i < 64 && !client.paused; ++i) {
    call->on_message(Bytes::copy(std::string(64 << 10, 'x')));
    run_until(
        loop, [] { return false; }, std::chrono::milliseconds(2));
  }
  CHECK(client.paused);
  CHECK(there->messages.size() < 10);
  there->stream.pause_input(false);
  CHECK(run_until(loop, [&] { return !client.paused; }));
}

TEST_CASE("whoever can be reached is asked, and nobody at all is said so") {
  loop::Loop loop;
  auto gone = std::make_unique<ServingNode>(loop);
  const std::string nobody = gone->address();
  gone.reset();
  ServingNode node(loop);
  EdgeNode edge(loop);
  EdgeStream first;
  const auto call = edge.begin(first, {nobody, node.address()});
  call->on_message(Bytes::copy("question"));
  Served* const there = served(loop, node);
  REQUIRE(there != nullptr);
  there->stream.finish({});
  CHECK(run_until(loop, [&] { return call->outcome == Outcome::answered; }));
  for (const std::vector<std::string>& addresses :
       {std::vector<std::string>{nobody}, std::vector<std::string>{}}) {
    EdgeStream client;
    const auto in_vain = edge.begin(client, addresses);
    REQUIRE(run_until(loop, [&] { return client.status.has_value(); }));
    CHECK(client.status->code == proxy::GrpcCode::unavailable);
    CHECK(client.status->message == "there is no connection available");
    CHECK(in_vain->outcome == Outcome::unreachable);
  }
  // Nor is one reached that does not know the secret.
  EdgeNode stranger(loop, "another");
  EdgeStream client;
  const auto refused = stranger.begin(client, {node.address()});
  REQUIRE(run_until(loop, [&] { return client.status.has_value(); }));
  CHECK(refused->outcome == Outcome::unreachable);
}

TEST_CASE("what a node has declined is asked of the next one") {
  loop::Loop loop;
  ServingNode starting(loop);
  ServingNode other(loop);
  EdgeNode edge(loop);
  const auto decline = [&](ServingNode& node) {
    Served* const there = served(loop, node);
    REQUIRE(there != nullptr);
    there->stream.decline();
    there->stream.finish({proxy::GrpcCode::unavailable, "etcdserver: server stopped"});
  };
  EdgeStream client;
  const auto call = edge.begin(client, {starting.address(), other.address()});
  call->on_message(Bytes::copy("question"));
  call->on_half_close();
  decline(starting);
  Served* const there = served(loop, other);
  REQUIRE(there != nullptr);
  REQUIRE(run_until(loop, [&] { return there->half_closed; }));
  CHECK(there->messages == std::vector<std::string>{"question"});
  there->stream.send(text("answer"));
  there->stream.finish({});
  CHECK(run_until(loop, [&] { return call->outcome == Outcome::answered; }));

  // Where nobody serves, what the last one said.
  EdgeStream alone;
  const auto in_vain = edge.begin(alone, {starting.address()});
  in_vain->on_message(Bytes::copy("question"));
  decline(starting);
  REQUIRE(run_until(loop, [&] { return starting.calls.empty(); }));
  decline(starting);
  REQUIRE(run_until(loop, [&] { return alone.status.has_value(); }));
  CHECK(alone.status->message == "etcdserver: server stopped");
  CHECK(alone.status->trailers.empty());
  CHECK(in_vain->outcome == Outcome::answered);

  // An answer that is none of that stays what it is.
  EdgeStream refused;
  const auto once = edge.begin(refused, {starting.address(), other.address()});
  once->on_message(Bytes::copy("question"));
  Served* const asked = served(loop, starting);
  REQUIRE(asked != nullptr);
  asked->stream.finish({proxy::GrpcCode::unavailable, "etcdserver: request timed out"});
  REQUIRE(run_until(loop, [&] { return refused.status.has_value(); }));
  CHECK(refused.status->message == "etcdserver: request timed out");
  CHECK(other.calls.empty());
}

TEST_CASE("what a node had when it went is answered as unknown, and never sent twice") {
  loop::Loop loop;
  auto node = std::make_unique<ServingNode>(loop);
  ServingNode other(loop);
  EdgeNode edge(loop);
  EdgeStream client;
  const auto call = edge.begin(client, {node->address(), other.address()});
  call->on_message(Bytes::copy("question"));
  REQUIRE(served(loop, *node) != nullptr);
  node.reset();
  REQUIRE(run_until(loop, [&] { return client.status.has_value(); }));
  CHECK(client.status->code == proxy::GrpcCode::unavailable);
  CHECK(client.status->message == "etcdserver: request timed out, possibly due to connection lost");
  CHECK(call->outcome == Outcome::lost);
  CHECK(other.calls.empty());
}

TEST_CASE("a node that leaves finishes what it has, and gets nothing new") {
  loop::Loop loop;
  ServingNode node(loop);
  ServingNode other(loop);
  EdgeNode edge(loop);
  EdgeStream running;
  const auto call = edge.begin(running, {node.address()});
  call->on_message(Bytes::copy("question"));
  Served* const there = served(loop, node);
  REQUIRE(there != nullptr);
  node.forward.leave();
  REQUIRE(run_until(loop, [&] { return !edge.client.ready(node.address()); }));
  EdgeStream client;
  const auto next = edge.begin(client, {node.address(), other.address()});
  next->on_message(Bytes::copy("another"));
  REQUIRE(served(loop, other) != nullptr);
  CHECK(node.calls.size() == 1);
  there->stream.send(text("answer"));
  there->stream.finish({});
  CHECK(run_until(loop, [&] { return call->outcome == Outcome::answered; }));
}

TEST_CASE("what no node has passed on is turned away") {
  loop::Loop loop;
  ServingNode node(loop);
  proxy::ClientContext context(loop);
  struct Events final : public proxy::ClientStreamEvents {
    void on_end(const proxy::ClientStreamEnd& end) override { status = end.status; }
    std::optional<proxy::GrpcStatus> status;
  };
  const Nonce key{};
  FrameKey forged{Digest(key)};
  for (const std::string& head :
       {std::string(), std::string("x"),
        seal_head({{"team-a", 0}, "client", "", {}}, served_method, 1, 1, forged)}) {
    Events events;
    proxy::Http2Client client(context, node.address(), {}, {});
    const auto stream = client.open(
        served_method, {{std::string(forwarded_header), proxy::encode_base64(head)}}, events);
    REQUIRE(run_until(loop, [&] { return events.status.has_value(); }));
    CHECK(events.status->code == proxy::GrpcCode::unauthenticated);
    client.close();
  }
  CHECK(node.calls.empty());
}

TEST_CASE("a request's head holds for its method and its number") {
  Digest secret{};
  secret[0] = 1;
  FrameKey ours(secret), theirs(secret);
  const ForwardedHead head{{"team-a", 3}, "10.0.0.1:5", "host", {}};
  std::optional<SealedHead> sealed =
      parse_sealed_head(seal_head(head, "/a.B/C", /*session=*/5, /*number=*/9, ours));
  REQUIRE(sealed);
  CHECK(sealed->session == 5);
  const std::optional<ForwardedHead> opened = open_head(*sealed, "/a.B/C", theirs);
  REQUIRE(opened);
  CHECK(opened->facts.tenant == "team-a");
  CHECK(opened->facts.routing_epoch == 3);
  CHECK(opened->client == "10.0.0.1:5");
  CHECK_FALSE(opened->certificate);
  CHECK_FALSE(open_head(*sealed, "/a.B/D", theirs));
  SealedHead repeated = *sealed;
  repeated.number = 10;
  CHECK_FALSE(open_head(repeated, "/a.B/C", theirs));
  SealedHead altered = *sealed;
  altered.request[2] = 'x';
  CHECK_FALSE(open_head(altered, "/a.B/C", theirs));
}

}  // namespace
}  // namespace lattice::peer
