// Unsent or lost: what a caller is told when a call does not get its answer.
#include <doctest/doctest.h>

#include "peer/peer_world.h"
#include "peer/raw_node.h"

namespace lattice::peer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Limits quick() {
  Limits limits;
  limits.connect_timeout = milliseconds(500);
  limits.answer_grace = milliseconds(50);
  limits.ping_interval = milliseconds(50);
  limits.ping_timeout = milliseconds(500);
  return limits;
}

// Bytes of HTTP/2's preface and frames, before the handshake's end: nothing of a call.
bool keep(int, std::string_view) { return true; }
bool drop(int, std::string_view) { return false; }

TEST_CASE("a call to a node that is not there is unsent") {
  loop::Loop loop;
  ClientNode client(loop, {"secret"}, quick());
  std::string address;
  { address = ServerNode(loop, {"secret"}).address(); }
  CHECK(client.ask_error(address) == Error::unsent);
  CHECK(client.ask_error(address) == Error::unsent);
  // It comes: the next call finds it.
  ServerNode server(loop, {"secret"}, {}, address);
  server.service.reply = [](const auto&) { return position_reply(1); };
  CHECK(client.ask(address, replica::PositionCall()).ok());
}

TEST_CASE("a call to a node that closes, says nothing, or speaks something else is unsent") {
  loop::Loop loop;
  ClientNode client(loop, {"secret"}, quick());
  RawNode closing(loop, keep, /*accept_and_close=*/true);
  CHECK(client.ask_error(closing.address()) == Error::unsent);
  RawNode reading(loop, drop);
  CHECK(client.ask_error(reading.address()) == Error::unsent);
  RawNode silent(loop, keep);
  CHECK(client.ask_error(silent.address()) == Error::unsent);
  RawNode other(loop, [](int fd, std::string_view) {
    return send(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL) > 0;
  });
  CHECK(client.ask_error(other.address()) == Error::unsent);
}

TEST_CASE("a call to a node without the method, or that refuses streams, is unsent") {
  loop::Loop loop;
  ClientNode client(loop, {"secret"}, quick());
  const proxy::Router empty;
  auto listener = std::move(
      *proxy::Listener::listen(loop, "127.0.0.1:0", empty, {}, nullptr, /*reuse_port=*/false));
  CHECK(client.ask_error(listener->address()) == Error::unsent);
  proxy::Limits none;
  none.concurrent_streams_max = 0;
  auto refusing = std::move(
      *proxy::Listener::listen(loop, "127.0.0.1:0", empty, none, nullptr, /*reuse_port=*/false));
  CHECK(client.ask_error(refusing->address()) == Error::unsent);
}

TEST_CASE("without patience a call is unsent, and soon") {
  loop::Loop loop;
  ClientNode client(loop, {"secret"}, quick());
  RawNode silent(loop, keep);
  CHECK(client.ask_error(silent.address(), replica::PositionCall(), milliseconds(5)) ==
        Error::unsent);
  CHECK(client.ask_error(silent.address(), replica::PositionCall(), milliseconds(-5)) ==
        Error::unsent);
}

TEST_CASE("a call that was sent and is never answered is lost after its patience") {
  loop::Loop loop;
  ServerNode server(loop, {"secret"});
  ClientNode client(loop, {"secret"}, quick());
  CHECK(client.ask_error(server.address(), replica::PositionCall(), milliseconds(20)) ==
        Error::timeout_connection_lost);
  REQUIRE(server.service.kept.size() == 1);
  // The answer comes too late, and disturbs nothing.
  server.service.kept.front().second(position_reply(1));
  server.service.reply = [](const auto&) { return position_reply(2); };
  CHECK(client.ask(server.address(), replica::PositionCall())->position.seq == Seq(2));
}

TEST_CASE("a connection that dies under a call: lost; the service's answer is dropped") {
  loop::Loop loop;
  ServerNode server(loop, {"secret"});
  Relay relay(loop, server.address(), nullptr);
  ClientNode client(loop, {"secret"}, quick());
  for (int i = 0; i < 3; ++i) {
    std::optional<Error> error;
    client.peers->call(relay.address(), {replica::PositionCall(), seconds(5)},
                       [&](const Result<replica::PeerReply>& result) { error = result.error(); });
    REQUIRE(run_until(loop, [&] { return !server.service.kept.empty(); }));
    relay.cut();
    REQUIRE(run_until(loop, [&] { return error.has_value(); }));
    CHECK(*error == Error::timeout_connection_lost);
    REQUIRE(run_until(loop, [&] { return server.listener->connection_count() == 0; }));
    server.service.kept.front().second(position_reply(1));
    server.service.kept.pop_front();
  }
}

TEST_CASE("a node that stops answering is noticed by its silence") {
  loop::Loop loop;
  ServerNode server(loop, {"secret"});
  bool swallow = false;
  Relay relay(loop, server.address(), [&](bool, std::string* bytes) {
    if (swallow) bytes->clear();
  });
  ClientNode client(loop, {"secret"}, quick());
  std::optional<Error> error;
  client.peers->call(relay.address(), {replica::PositionCall(), seconds(60)},
                     [&](const Result<replica::PeerReply>& result) { error = result.error(); });
  REQUIRE(run_until(loop, [&] { return !server.service.kept.empty(); }));
  swallow = true;
  REQUIRE(run_until(
      loop, [&] { return error.has_value(); }, seconds(5)));
  CHECK(*error == Error::timeout_connection_lost);
}

TEST_CASE("while a node is slow, keepalive leaves its connection alone") {
  loop::Loop loop;
  ServerNode server(loop, {"secret"});
  ClientNode client(loop, {"secret"}, quick());
  std::optional<Result<replica::PeerReply>> outcome;
  client.peers->call(server.address(), {replica::PositionCall(), seconds(60)},
                     [&](Result<replica::PeerReply> result) { outcome = std::move(result); });
  CHECK_FALSE(run_until(
      loop, [&] { return outcome.has_value(); }, milliseconds(900)));
  server.service.kept.front().second(position_reply(1));
  REQUIRE(run_until(loop, [&] { return outcome.has_value(); }));
  CHECK(outcome->ok());
}

TEST_CASE("killed in the middle of many calls: none that was served is called unsent") {
  loop::Loop loop;
  RandomValues random(8);
  for (int round = 0; round < 25; ++round) {
    ServerNode server(loop, {"secret"});
    std::vector<bool> served(400);
    server.service.reply = [&](const replica::PeerRequest& request) {
      const auto& put = std::get<keyspace::PutRequest>(request.call);
      served[static_cast<size_t>(put.lease.value)] = true;
      replica::PeerReply reply = position_reply(1);
      reply.answer = replica::PeerAnswer(keyspace::PutResult());
      return reply;
    };
    size_t until_cut = random.below(6'000'000);
    Relay relay(loop, server.address(), [&](bool to_server, std::string* bytes) {
      if (!to_server) return;
      if (bytes->size() > until_cut) bytes->resize(until_cut);
      until_cut -= bytes->size();
    });
    ClientNode client(loop, {"secret"}, quick());
    size_t settled = 0, unsent = 0, wrong = 0;
    for (size_t i = 0; i < served.size(); ++i) {
      keyspace::PutRequest put;
      put.lease = LeaseId(static_cast<int64_t>(i));
      put.value.assign(random.below(30'000), 'v');
      client.peers->call(relay.address(), {std::move(put), seconds(9)},
                         [&, i](const Result<replica::PeerReply>& result) {
                           ++settled;
                           if (result.error() != Error::unsent) return;
                           ++unsent;
                           if (served[i]) ++wrong;
                         });
    }
    REQUIRE(run_until(loop, [&] { return until_cut == 0 || settled == served.size(); }));
    relay.cut();
    REQUIRE(run_until(loop, [&] { return settled == served.size(); }));
    CHECK(wrong == 0);
    for (size_t i = 0; i < served.size(); ++i) unsent += served[i] ? 1 : 0;
    CHECK(unsent <= served.size());
  }
}

TEST_CASE("what waits for a connection is bounded") {
  loop::Loop loop;
  Limits limits = quick();
  limits.connect_timeout = seconds(1);
  limits.waiting_calls_max = 10;
  ClientNode client(loop, {"secret"}, limits);
  RawNode silent(loop, keep);
  int unsent = 0;
  for (int i = 0; i < 15; ++i) {
    client.peers->call(silent.address(), {replica::PositionCall(), seconds(9)},
                       [&](const Result<replica::PeerReply>& result) {
                         unsent += result.error() == Error::unsent ? 1 : 0;
                       });
  }
  CHECK(unsent == 0);  // never inside the call
  CHECK(run_until(
      loop, [&] { return unsent == 5; }, milliseconds(500)));
  CHECK(run_until(loop, [&] { return unsent == 15; }));
}

TEST_CASE("a connection that fails is tried again, more and more slowly") {
  loop::Loop loop;
  ClientNode client(loop, {"secret"}, quick());
  RawNode closing(loop, keep, /*accept_and_close=*/true);
  const auto until = std::chrono::steady_clock::now() + milliseconds(500);
  while (std::chrono::steady_clock::now() < until) client.ask_error(closing.address());
  CHECK(closing.accepted >= 2);
  CHECK(closing.accepted <= 8);
  CHECK(client.troubles.size() == 1);
}

}  // namespace
}  // namespace lattice::peer
