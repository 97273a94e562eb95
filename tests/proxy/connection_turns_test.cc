// One connection on a loop that others want as well: where it waits, what the loop hears of its
// socket meanwhile, and that it hears of it again. The loop and the shares' turns are driven by
// hand, and each look at the shares' clock costs the same.
#include <doctest/doctest.h>
#include <event2/event.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "proxy/test_client.h"
#include "proxy/test_server.h"
#include "tls/tls_pair.h"

namespace lattice::proxy {
namespace {

constexpr Duration look_cost = std::chrono::microseconds(100);

// A tenant that wants the loop for ever: whatever the connections want queues.
struct Greedy final : FairWaiter {
  bool run(size_t) override { return true; }
};

// Keeps what it was asked, in the order of arrival: calls of /t/Note by their metadata "name",
// requests of /note/... by their paths.
struct World {
  explicit World(std::shared_ptr<const tls::Source> tls = nullptr) {
    router.add_grpc("/t/Note", [this](ServerStream& stream) {
      if (stream.metadata("tenant") == "modest") CHECK(stream.belong_to(modest));
      return std::make_unique<Note>(*this, stream);
    });
    router.add_http("/note/", [this](HttpRequest request, HttpRespond respond) {
      asked.push_back(request.path);
      respond({});
    });
    listener = std::move(*Listener::listen(loop, "127.0.0.1:0", router, {}, nullptr,
                                           /*reuse_port=*/false, std::move(tls), {&shares}));
    turn();
    idle = watched();
    shares.note(others, loop.now());
    shares.enqueue(greedy, others);
  }
  ~World() { shares.remove(greedy); }

  // What is reported queues, and nobody is served.
  void turn() { loop.turn(); }
  // Whether it comes true while the loop turns, without anybody being served.
  bool until(const std::function<bool()>& condition) {
    return TestServer::eventually([&] {
      turn();
      return condition();
    });
  }
  // Likewise, with everybody served in turn.
  bool served_until(const std::function<bool()>& condition) {
    return until([&] {
      shares.run_turn();
      return condition();
    });
  }
  // How many connections' sockets the loop is to tell of when there is something to read.
  size_t watched_sockets() const { return watched() - idle; }
  bool has_come(std::string_view name) const {
    return std::ranges::find(asked, name) != asked.end();
  }

  loop::Loop loop;
  Instant clock;
  FairShares shares{{.now = [this] { return clock = clock + look_cost; },
                     .thread_time = [this] { return clock - Instant{}; },
                     .call_in_this_turn = [] {},
                     .call_in_next_turn = [] {}}};
  const SharedFlow others = std::make_shared<FairFlow>();
  const SharedFlow modest = std::make_shared<FairFlow>();
  Greedy greedy;
  std::vector<std::string> asked;
  Router router;
  std::unique_ptr<Listener> listener;

 private:
  struct Note final : Call {
    Note(World& in, ServerStream& to) : world(in), stream(to) {}
    void on_message(Bytes) override {
      world.asked.emplace_back(stream.metadata("name"));
      stream.reply(ByteChain());
    }
    World& world;
    ServerStream& stream;
  };

  size_t watched() const {
    size_t count = 0;
    event_base_foreach_event(
        const_cast<loop::Loop&>(loop).base(),
        [](const event_base*, const event* each, void* counted) {
          if ((event_get_events(each) & EV_READ) != 0) ++*static_cast<size_t*>(counted);
          return 0;
        },
        &count);
    return count;
  }

  size_t idle = 0;
};

void ask(TestClient& client, const TestClient::Headers& metadata, std::string_view message) {
  client.send(client.start("/t/Note", metadata), message, /*end=*/true);
}

TEST_CASE("What follows a connection's first request does not wait among strangers") {
  constexpr int64_t crowd = 60;
  World world;
  // More than is read at once, so some of it is read when its tenant is known.
  TestClient client(world.listener->address());
  ask(client, {{"tenant", "modest"}, {"name", "first"}}, "x");
  ask(client, {{"tenant", "modest"}, {"name", "second"}}, std::string(5000, 'x'));
  REQUIRE(world.until([&] { return world.listener->connection_count() == 1; }));
  REQUIRE(world.until([&] { return world.watched_sockets() == 0; }));
  std::vector<std::unique_ptr<TestClient>> strangers;
  for (int i = 0; i < crowd; ++i) {
    strangers.push_back(std::make_unique<TestClient>(world.listener->address()));
    ask(*strangers.back(), {{"name", "stranger"}}, "x");
  }
  REQUIRE(world.until([&] { return world.listener->connection_count() == crowd + 1; }));
  REQUIRE(world.until([&] { return world.watched_sockets() == 0; }));
  REQUIRE(world.asked.empty());
  REQUIRE(world.served_until([&] { return world.has_come("second"); }));
  CHECK(std::ranges::count(world.asked, "stranger") < crowd / 2);
  CHECK(world.served_until([&] { return world.asked.size() == crowd + 2; }));
}

TEST_CASE("A socket is not reported again while its connection waits for its turn") {
  World world;
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<TestClient>(world.listener->address()));
    ask(*clients.back(), {{"name", "early"}}, "x");
  }
  REQUIRE(world.until([&] { return world.listener->connection_count() == clients.size(); }));
  CHECK(world.until([&] { return world.watched_sockets() == 0; }));
  CHECK(world.asked.empty());
  CHECK(world.served_until([&] { return world.asked.size() == clients.size(); }));
  CHECK(world.watched_sockets() == clients.size());
  for (const auto& client : clients) ask(*client, {{"name", "late"}}, "x");
  CHECK(world.served_until([&] { return world.asked.size() == 2 * clients.size(); }));
}

TEST_CASE("A connection that has had its turn without a whole request is listened to again") {
  World world;
  const int fd = connect_to(world.listener->address());
  // It may be HTTP/2 as well, so there is no session yet.
  REQUIRE(send(fd, "P", 1, 0) == 1);
  REQUIRE(world.until([&] { return world.listener->connection_count() == 1; }));
  REQUIRE(world.until([&] { return world.watched_sockets() == 0; }));
  CHECK(world.served_until([&] { return world.watched_sockets() == 1; }));
  constexpr std::string_view rest = "OST /note/1 HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n";
  REQUIRE(send(fd, rest.data(), rest.size(), 0) == static_cast<ssize_t>(rest.size()));
  CHECK(world.served_until([&] { return world.has_come("/note/1"); }));
  close(fd);
}

// A TLS client whose ciphertext goes to the server in the pieces that the test wants.
class PiecemealClient {
 public:
  PiecemealClient(const std::string& address, std::shared_ptr<const tls::Context> context)
      : PiecemealClient(address, std::move(context), tls::socket_pair()) {}
  ~PiecemealClient() {
    close(near_);
    close(far_);
  }

  // A step of the handshake; whether it is over.
  bool shake() {
    (void)stream_.send({});
    pass_on(all);
    answer_.resize(16 << 10);
    const ssize_t size = recv(far_, answer_.data(), answer_.size(), MSG_DONTWAIT);
    if (size > 0) CHECK(::send(near_, answer_.data(), static_cast<size_t>(size), 0) == size);
    (void)stream_.receive(answer_);
    return stream_.established();
  }
  void encrypt(std::string_view text) {
    const iovec part{const_cast<char*>(text.data()), text.size()};
    CHECK(stream_.send({&part, 1}).bytes == text.size());
  }
  // That many bytes of what is encrypted, if there are so many.
  void pass_on(size_t size_max) {
    std::array<char, 16 << 10> buffer;
    const ssize_t size =
        recv(near_, buffer.data(), std::min(size_max, buffer.size()), MSG_DONTWAIT);
    if (size > 0) CHECK(::send(far_, buffer.data(), static_cast<size_t>(size), 0) == size);
  }
  static constexpr size_t all = SIZE_MAX;

 private:
  PiecemealClient(const std::string& address, std::shared_ptr<const tls::Context> context,
                  std::array<int, 2> ends)
      : near_(ends[0]),
        far_(connect_to(address)),
        stream_(std::move(context), ends[1], "127.0.0.1") {}

  const int near_;  // of the socket that the stream believes to be the server's
  const int far_;
  tls::Stream stream_;
  std::string answer_;
};

TEST_CASE("A connection that has had its turn with a part of a TLS record is listened to again") {
  const tls::TestAuthority authority;
  World world(std::make_shared<tls::Source>(
      *tls::Context::server(authority.server_files(), {.protocols = {"http/1.1"}})));
  PiecemealClient client(
      world.listener->address(),
      *tls::Context::client(authority.client_files(), {.protocols = {"http/1.1"}}));
  REQUIRE(world.served_until([&] { return client.shake(); }));
  client.encrypt("GET /note/1 HTTP/1.1\r\nhost: h\r\n\r\n");
  client.pass_on(PiecemealClient::all);
  REQUIRE(world.served_until([&] { return world.has_come("/note/1"); }));
  client.encrypt("GET /note/2 HTTP/1.1\r\nhost: h\r\n\r\n");
  client.pass_on(20);
  REQUIRE(world.until([&] { return world.watched_sockets() == 0; }));
  CHECK(world.served_until([&] { return world.watched_sockets() == 1; }));
  client.pass_on(PiecemealClient::all);
  CHECK(world.served_until([&] { return world.has_come("/note/2"); }));
}

}  // namespace
}  // namespace lattice::proxy
