// Everything may end at any moment; nothing is called after that.
#include <doctest/doctest.h>

#include "peer/peer_world.h"

namespace lattice::peer {
namespace {

using std::chrono::seconds;

TEST_CASE("the caller's end goes at every moment of a connection's life") {
  loop::Loop loop;
  for (int turns = 0; turns < 60; ++turns) {
    for (const bool only_peers : {true, false}) {
      ServerNode server(loop, {"secret"});
      server.service.reply = [](const auto&) { return position_reply(1); };
      ClientNode client(loop, {"secret"});
      bool gone = false;
      int late = 0, answered = 0;
      for (int i = 0; i < 10; ++i) {
        client.peers->call(server.address(), {replica::PositionCall(), seconds(5)},
                           [&](const Result<replica::PeerReply>&) { gone ? ++late : ++answered; });
      }
      for (int i = 0; i < turns; ++i) loop.turn();
      gone = true;
      client.peers.reset();
      if (!only_peers) client.client.reset();
      for (int i = 0; i < 40; ++i) loop.turn();
      CHECK(late == 0);
    }
  }
}

TEST_CASE("the answering end goes at every moment; each call is settled once") {
  loop::Loop loop;
  for (int turns = 0; turns < 60; ++turns) {
    auto server = std::make_unique<ServerNode>(loop, std::vector<std::string>{"secret"});
    if (turns % 2 == 0) server->service.reply = [](const auto&) { return position_reply(1); };
    ClientNode client(loop, {"secret"});
    int settled = 0;
    for (int i = 0; i < 10; ++i) {
      client.peers->call(server->address(), {replica::PositionCall(), seconds(1)},
                         [&](const Result<replica::PeerReply>&) { ++settled; });
    }
    for (int i = 0; i < turns; ++i) loop.turn();
    // Answers may outlive the server.
    const auto kept = std::move(server->service.kept);
    server.reset();
    CHECK(run_until(loop, [&] { return settled == 10; }));
    for (int i = 0; i < 20; ++i) loop.turn();
    CHECK(settled == 10);
  }
}

TEST_CASE("a service is not called once it is detached") {
  loop::Loop loop;
  for (int turns = 0; turns < 60; ++turns) {
    ServerNode server(loop, {"secret"});
    ClientNode client(loop, {"secret"});
    int settled = 0;
    for (int i = 0; i < 10; ++i) {
      client.peers->call(server.address(), {replica::PositionCall(), seconds(5)},
                         [&](const Result<replica::PeerReply>&) { ++settled; });
    }
    for (int i = 0; i < turns; ++i) loop.turn();
    server.realm.detach(test_log);
    const size_t served = server.service.served;
    server.service.kept.clear();
    CHECK(run_until(loop, [&] { return settled == 10; }));
    CHECK(server.service.served == served);
  }
}

TEST_CASE("everything of the caller's may go inside one of its callbacks") {
  loop::Loop loop;
  for (const bool fails : {false, true}) {
    for (const bool only_peers : {true, false}) {
      auto server = std::make_unique<ServerNode>(loop, std::vector<std::string>{"secret"});
      server->service.reply = [](const auto&) { return position_reply(1); };
      const std::string address = server->address();
      if (fails) server.reset();
      ClientNode client(loop, {"secret"});
      int called = 0;
      for (int i = 0; i < 10; ++i) {
        client.peers->call(address, {replica::PositionCall(), seconds(5)},
                           [&](const Result<replica::PeerReply>&) {
                             ++called;
                             client.peers.reset();
                             if (!only_peers) client.client.reset();
                           });
      }
      CHECK(run_until(loop, [&] { return called > 0; }));
      for (int i = 0; i < 40; ++i) loop.turn();
      CHECK(called == 1);
    }
  }
}

TEST_CASE("a callback may ask again, and again") {
  loop::Loop loop;
  auto server = std::make_unique<ServerNode>(loop, std::vector<std::string>{"secret"});
  server->service.reply = [](const auto&) { return position_reply(1); };
  ClientNode client(loop, {"secret"});
  int left = 200, failed = 0;
  std::function<void()> ask = [&] {
    client.peers->call(server ? server->address() : "127.0.0.1:1",
                       {replica::PositionCall(), seconds(5)},
                       [&](const Result<replica::PeerReply>& result) {
                         failed += result.ok() ? 0 : 1;
                         if (--left == 5) server.reset();
                         if (left > 0) ask();
                       });
  };
  ask();
  CHECK(run_until(loop, [&] { return left == 0; }));
  CHECK(failed == 5);
}

}  // namespace
}  // namespace lattice::peer
