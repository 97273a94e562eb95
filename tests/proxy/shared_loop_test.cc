// Connections of several tenants on one loop: each waits for its tenant's turn.
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "proxy/test_client.h"
#include "proxy/test_server.h"

namespace lattice::proxy {
namespace {

const TestClient::Headers greedy = {{"tenant", "greedy"}};
const TestClient::Headers modest = {{"tenant", "modest"}};

TEST_CASE("Every answer arrives whole, whoever else is served in between") {
  TestServer server(TestServer::fair);
  TestClient other(server.address);
  std::vector<std::unique_ptr<TestClient>> crowd;
  std::vector<int32_t> floods;
  for (int i = 0; i < 4; ++i) {
    crowd.push_back(std::make_unique<TestClient>(server.address));
    CHECK(crowd.back()->call("/test.Test/Echo", "x", greedy).grpc_status() == 0);
    floods.push_back(crowd.back()->start("/test.Test/Flood", greedy));
    crowd.back()->send(floods.back(), "100");
    crowd.back()->half_close(floods.back());
  }
  for (int i = 0; i < 100; ++i) {
    const auto answer = other.call("/test.Test/Echo", std::string(2000, 'x'), modest);
    CHECK(answer.grpc_status() == 0);
    CHECK(answer.messages() == std::vector<std::string>{std::string(2000, 'x')});
  }
  for (size_t i = 0; i < crowd.size(); ++i) {
    REQUIRE(crowd[i]->wait_closed(floods[i]));
    CHECK(crowd[i]->response(floods[i]).messages().size() == 100);
  }
}

TEST_CASE("One tenant's connections wait for their turns while one of them asks for too much") {
  TestServer server(TestServer::fair);
  std::atomic<bool> stop = false;
  std::thread hog([&] {
    TestClient client(server.address);
    const std::string much(300'000, 'm');
    while (!stop)
      CHECK(client.call("/test.Test/Echo", much, greedy).messages() == std::vector{much});
  });
  TestClient other(server.address);
  const auto ask = [&] {
    const auto answer = other.call("/test.Test/Echo", "x", greedy);
    CHECK(answer.messages() == std::vector<std::string>{"x"});
  };
  CHECK(TestServer::eventually([&] {
    ask();
    return server.shared();
  }));
  for (int i = 0; i < 300; ++i) ask();
  stop = true;
  hog.join();
}

TEST_CASE("Connections that end while they wait for their turn are forgotten") {
  TestServer server(TestServer::fair);
  TestClient other(server.address);
  for (int round = 0; round < 30; ++round) {
    std::vector<std::unique_ptr<TestClient>> crowd;
    for (int i = 0; i < 8; ++i) {
      crowd.push_back(std::make_unique<TestClient>(server.address));
      TestClient& client = *crowd.back();
      CHECK(client.call("/test.Test/Echo", "x", greedy).grpc_status() == 0);
      for (int call = 0; call < 8; ++call) {
        const int32_t id = client.start("/test.Test/Flood", greedy);
        client.send(id, "50");
      }
    }
    CHECK(other.call("/test.Test/Echo", "x", modest).grpc_status() == 0);
    crowd.clear();  // with output on its way and input unread
    CHECK(other.call("/test.Test/Echo", "x", modest).grpc_status() == 0);
  }
  CHECK(TestServer::eventually([&] { return server.connections() == 1; }));
}

TEST_CASE("Who waits for its turn is not taken for one that says nothing") {
  loop::Loop loop;
  // Nobody has a turn before it is given here.
  FairShares shares({.now = [&] { return loop.fresh_now(); },
                     .thread_time = &loop::Loop::thread_time,
                     .call_in_this_turn = [] {},
                     .call_in_next_turn = [] {}});
  Router router;
  router.add_http("/here", [](HttpRequest, HttpRespond respond) { respond({}); });
  Limits limits;
  limits.preface_timeout = std::chrono::milliseconds(50);
  const auto listener = std::move(*Listener::listen(loop, "127.0.0.1:0", router, limits, nullptr,
                                                    /*reuse_port=*/false, nullptr, {&shares}));
  const SharedFlow others = std::make_shared<FairFlow>();
  const auto until = [&](const std::function<bool()>& condition) {
    return TestServer::eventually([&] {
      shares.note(others, loop.now());
      loop.turn();
      return condition();
    });
  };
  const int asking = connect_to(listener->address());
  const int silent = connect_to(listener->address());
  const std::string_view request = "GET /here HTTP/1.1\r\nhost: x\r\n\r\n";
  CHECK(write(asking, request.data(), request.size()) == static_cast<ssize_t>(request.size()));
  REQUIRE(until([&] { return listener->connection_count() == 2; }));
  CHECK(until([&] { return listener->connection_count() == 1; }));
  std::array<char, 100> answer{};
  CHECK(until([&] {
    shares.run_turn();
    return recv(asking, answer.data(), answer.size(), MSG_DONTWAIT) > 0;
  }));
  CHECK(std::string_view(answer.data(), 12) == "HTTP/1.1 200");
  for (const int fd : {asking, silent}) close(fd);
}

}  // namespace
}  // namespace lattice::proxy
