// Who may call, and what happens to bytes that somebody has touched.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "peer/peer_world.h"
#include "peer/raw_node.h"
#include "proxy/test_client.h"

namespace lattice::peer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("without the secret a node neither asks nor answers, and both sides say so once") {
  loop::Loop loop;
  ServerNode server(loop, {"secret"});
  ClientNode client(loop, {"another"});
  for (int i = 0; i < 3; ++i) CHECK(client.ask_error(server.address()) == Error::unsent);
  CHECK(server.service.served == 0);
  CHECK(server.troubles.size() == 1);
  CHECK(client.troubles.size() == 1);
}

TEST_CASE("secrets are replaced one node at a time") {
  loop::Loop loop;
  const std::vector<std::vector<std::string>> stages = {{"old"}, {"new", "old"}, {"new"}};
  for (size_t a = 0; a < stages.size(); ++a) {
    for (size_t b = 0; b < stages.size(); ++b) {
      ServerNode server(loop, stages[a]);
      ClientNode client(loop, stages[b]);
      server.service.reply = [](const auto&) { return position_reply(1); };
      const bool common = a == b || a == 1 || b == 1;
      CHECK(client.ask(server.address(), replica::PositionCall()).ok() == common);
    }
  }
}

TEST_CASE("bytes that are changed on their way end the connection, and are never acted on") {
  loop::Loop loop;
  RandomValues random(7);
  int lost = 0;
  for (int round = 0; round < 60; ++round) {
    ServerNode server(loop, {"secret"});
    bool genuine = true;
    server.service.reply = [&](const replica::PeerRequest& request) {
      const auto* put = std::get_if<keyspace::PutRequest>(&request.call);
      genuine = genuine && put != nullptr && put->value == std::string(2000, 'v');
      replica::PeerReply reply = position_reply(1);
      keyspace::KvRecord::Fields fields;
      const std::string value(2000, 'w');
      fields.value = value;
      reply.answer =
          replica::PeerAnswer(keyspace::PutResult{Revision(7), keyspace::KvRecord::make(fields)});
      return reply;
    };
    size_t at = random.below(3000);
    const bool at_server = round % 2 == 0;
    Relay relay(loop, server.address(), [&](bool to_server, std::string* bytes) {
      if (to_server != at_server) return;
      if (at < bytes->size()) (*bytes)[at] ^= 0x20;
      at -= std::min(at, bytes->size());
      if (at == 0) at = SIZE_MAX;
    });
    Limits limits;
    limits.connect_timeout = milliseconds(300);
    limits.answer_grace = milliseconds(50);
    ClientNode client(loop, {"secret"}, limits);
    keyspace::PutRequest put;
    put.value.assign(2000, 'v');
    const auto reply = client.ask(relay.address(), std::move(put), milliseconds(300));
    CHECK(genuine);
    if (!reply.ok()) {
      ++lost;
    } else if (reply->answer.ok()) {
      const auto& result = std::get<keyspace::PutResult>(*reply->answer);
      CHECK(result.prev->value() == std::string(2000, 'w'));
    }
  }
  CHECK(lost > 20);
}

TEST_CASE("a stranger costs a stream for a while, and no memory") {
  loop::Loop loop;
  Limits limits;
  limits.handshake_timeout = milliseconds(100);
  ServerNode server(loop, {"secret"}, limits);
  std::string seen;
  std::atomic<bool> done = false;
  std::thread stranger([&, address = server.address()] {
    proxy::TestClient client(address);
    const int32_t silent = client.start("/lattice.peer.v1.Peer/Connect");
    client.wait_closed(silent);
    seen += client.response(silent).trailers.at("grpc-status") + " ";
    const int32_t large = client.start("/lattice.peer.v1.Peer/Connect");
    client.send(large, std::string(5000, 'x'));
    client.wait_closed(large);
    seen += client.response(large).trailers.at("grpc-status") + " ";
    const int32_t nonsense = client.start("/lattice.peer.v1.Peer/Connect");
    client.send(nonsense, "\xff\xff");
    client.wait_closed(nonsense);
    seen += client.response(nonsense).trailers.at("grpc-status") + " ";
    const int32_t nothing = client.start("/etcdserverpb.KV/Range");
    client.wait_closed(nothing);
    seen += client.response(nothing).trailers.at("grpc-status");
    done = true;
  });
  CHECK(run_until(loop, [&] { return done.load(); }));
  stranger.join();
  CHECK(seen == "16 8 16 12");
  CHECK(server.service.served == 0);
}

}  // namespace
}  // namespace lattice::peer
