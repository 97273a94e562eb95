// Two nodes on one loop: what calls, what answers, and the port between them.
// Thread: a test's, which drives the loop by hand.
#pragma once

#include <unistd.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "loop/loop.h"
#include "peer/codec.h"
#include "peer/peer_client.h"
#include "peer/peer_server.h"
#include "peer/random_values.h"

namespace lattice::peer {

inline constexpr replica::LogId test_log = {1, 2, 3};

// Answers as it is told to; without an order it keeps what it was asked.
class FakeService final : public replica::PeerService {
 public:
  using Done = absl::AnyInvocable<void(replica::PeerReply)>;
  void serve(replica::PeerRequest request, Done done) override {
    ++served;
    if (reply) return done(reply(request));
    kept.emplace_back(std::move(request), std::move(done));
  }
  std::function<replica::PeerReply(const replica::PeerRequest&)> reply;
  std::deque<std::pair<replica::PeerRequest, Done>> kept;
  size_t served = 0;
};

inline Surroundings surroundings(loop::Loop& loop, const Keyring& keyring, const Limits& limits,
                                 std::vector<std::string>* troubles,
                                 std::string cluster = "cluster") {
  return {{loop,
           [random = std::make_shared<RandomValues>(99)](std::span<uint8_t> out) {
             for (uint8_t& byte : out) byte = static_cast<uint8_t>(random->number());
           },
           [troubles](std::string_view node, std::string_view what) {
             troubles->push_back(std::string(node) + ": " + std::string(what));
           },
           limits},
          keyring,
          std::move(cluster)};
}

inline bool run_until(loop::Loop& loop, const std::function<bool()>& condition,
                      std::chrono::milliseconds patience = std::chrono::seconds(20)) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  for (int idle = 0; !condition(); ++idle) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    loop.turn();
    if (idle % 50 == 49) usleep(200);
  }
  return true;
}

struct ServerNode {
  ServerNode(loop::Loop& loop, const std::vector<std::string>& secrets, Limits limits = {},
             const std::string& bind = "127.0.0.1:0")
      : keyring(secrets), around(surroundings(loop, keyring, limits, &troubles)), server(around) {
    server.register_with(router);
    realm.attach(test_log, service);
    listener = std::move(*proxy::Listener::listen(loop, bind, router, server.listener_limits(),
                                                  nullptr, /*reuse_port=*/false));
  }
  std::string address() const { return listener->address(); }

  Keyring keyring;
  std::vector<std::string> troubles;
  Surroundings around;
  FakeService service;
  PeerServer server;
  PeerServer::Realm& realm = server.admit("cluster", keyring);
  proxy::Router router;
  std::unique_ptr<proxy::Listener> listener;
};

struct ClientNode {
  ClientNode(loop::Loop& on_loop, const std::vector<std::string>& secrets, Limits limits = {},
             std::string cluster = "cluster")
      : loop(on_loop),
        keyring(secrets),
        around(surroundings(on_loop, keyring, limits, &troubles, std::move(cluster))),
        client(std::make_unique<PeerClient>(around)),
        peers(client->peers(test_log)) {}

  // The outcome of one call, waited for.
  Result<replica::PeerReply> ask(const std::string& address, replica::PeerCall call,
                                 Duration patience = std::chrono::seconds(5)) {
    std::optional<Result<replica::PeerReply>> outcome;
    peers->call(address, {std::move(call), patience},
                [&](Result<replica::PeerReply> result) { outcome = std::move(result); });
    if (!run_until(loop, [&] { return outcome.has_value(); })) return Error::deadline_exceeded;
    return std::move(*outcome);
  }
  Error ask_error(const std::string& address, replica::PeerCall call = replica::PositionCall(),
                  Duration patience = std::chrono::seconds(5)) {
    return ask(address, std::move(call), patience).error();
  }

  loop::Loop& loop;
  Keyring keyring;
  std::vector<std::string> troubles;
  Surroundings around;
  std::unique_ptr<PeerClient> client;
  std::unique_ptr<replica::Peers> peers;
};

inline replica::PeerReply position_reply(uint64_t seq) {
  replica::PeerReply reply{Epoch(3), {9}, {Seq(seq), {7}}, Error::internal};
  reply.answer = replica::PeerAnswer(std::monostate());
  return reply;
}

}  // namespace lattice::peer
