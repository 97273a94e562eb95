// Users and passwords, servers that are none, and Sentinels.
#include <doctest/doctest.h>

#include "backends/redis/redis_hub.h"
#include "backends/redis_fixture.h"

namespace lattice::backends {
namespace {

using std::chrono::milliseconds;

constexpr const char* channel = "lattice:{00ff}";

struct Node {
  Node(loop::Loop& owner, const std::string& url) : loop(owner) {
    auto opened = RedisHub::open(loop, url);
    REQUIRE(opened.ok());
    hub = std::move(*opened);
    fanout = hub->fanout(channel);
    fanout->subscribe({.message = [this](std::string_view m) { messages.emplace_back(m); },
                       .hint = [this] { ++hints; }});
  }
  bool becomes_up() const {
    return turn_until(loop, [&] { return hub->up(); });
  }
  // It tries more than once, never gets there, and says so.
  bool stays_down(const std::string& why) const {
    const bool said =
        turn_until(loop, [&] { return hub->health().detail().find(why) != std::string::npos; });
    turn_for(loop, milliseconds(500));
    INFO(hub->health().detail());
    CHECK(hub->health().detail().find("secret") == std::string::npos);
    CHECK(!fanout->up());
    return said && !hub->up();
  }
  bool carries(const std::string& text) {
    fanout->publish(text);
    return turn_until(loop, [&] { return !messages.empty() && messages.back() == text; });
  }

  loop::Loop& loop;
  std::unique_ptr<RedisHub> hub;
  std::unique_ptr<RedisFanout> fanout;
  std::vector<std::string> messages;
  int hints = 0;
};

TEST_CASE("a password") {
  RedisServer server("requirepass secret");
  loop::Loop loop;
  Node right(loop, server.url(":secret@"));
  REQUIRE(right.becomes_up());
  CHECK(right.carries("x"));
  Node long_form(loop, server.url("default:secret@"));
  CHECK(long_form.becomes_up());
  Node wrong(loop, server.url(":secrets@"));
  CHECK(wrong.stays_down("refuses the user or password (WRONGPASS)"));
  Node none(loop, server.url());
  CHECK(none.stays_down("the URL needs a password"));
}

TEST_CASE("a user with what docs/redis.md asks for, and with less") {
  const std::string rights = " resetchannels &lattice:* -@all +auth +ping +subscribe +unsubscribe";
  RedisServer server("user default off\nuser lattice on >secret" + rights +
                     " +publish\nuser listener on >secret" + rights +
                     "\nuser stranger on >secret resetchannels &other:* +@all");
  loop::Loop loop;
  Node right(loop, server.url("lattice:secret@"));
  REQUIRE(right.becomes_up());
  CHECK(right.carries("x"));
  Node unknown(loop, server.url("nobody:secret@"));
  CHECK(unknown.stays_down("WRONGPASS"));
  Node listener(loop, server.url("listener:secret@"));
  CHECK(listener.stays_down("refuses PUBLISH (NOPERM): the user's ACL must have"));
  CHECK(listener.hints == 1);  // half of it works
  Node stranger(loop, server.url("stranger:secret@"));
  CHECK(stranger.stays_down("NOPERM"));
}

TEST_CASE("a server that is no Redis, or says what it was told") {
  loop::Loop loop;
  const auto url = [](const CannedServer& server) {
    return "redis://u:secret@127.0.0.1:" + std::to_string(server.port());
  };
  CannedServer web(loop, "HTTP/1.1 400 Bad Request\r\n\r\n");
  Node to_web(loop, url(web));
  CHECK(to_web.stays_down("does not speak Redis' protocol"));
  CannedServer parrot(loop, "-ERR unknown command 'AUTH', with args: 'u' 'secret'\r\n");
  Node to_parrot(loop, url(parrot));
  CHECK(to_parrot.stays_down("refuses the user or password (ERR)"));
  CannedServer polite(loop, "+OK\r\n");
  Node to_polite(loop, "redis://127.0.0.1:" + std::to_string(polite.port()));
  CHECK(to_polite.stays_down("does not answer as Redis does"));
  CannedServer mute(loop, "");
  Node to_mute(loop, url(mute));
  CHECK(to_mute.stays_down("does not answer"));
  CannedServer endless(loop, std::string(5 << 10, '+'));
  Node to_endless(loop, url(endless));
  CHECK(to_endless.stays_down("does not answer"));
  // Two connections each, ever more rarely: some seven attempts in the first two seconds, then one
  // each second.
  CHECK(web.accepted() < 60);
  CHECK(parrot.accepted() < 60);
}

struct Cluster {
  Cluster()
      : master("masterauth secret\nrequirepass secret"),
        replica("masterauth secret\nrequirepass secret\nreplicaof 127.0.0.1 " +
                std::to_string(master.port())),
        sentinel("requirepass sentinel-secret\nsentinel monitor main 127.0.0.1 " +
                     std::to_string(master.port()) +
                     " 1\nsentinel auth-pass main secret\nsentinel down-after-milliseconds main "
                     "500\nsentinel failover-timeout main 2000",
                 /*sentinel=*/true) {}

  // The first of its Sentinels is down.
  std::string url() const {
    return "redis+sentinel://:secret@127.0.0.1:1,127.0.0.1:" + std::to_string(sentinel.port()) +
           "/main?sentinel_password=sentinel-secret";
  }
  RedisServer master;
  RedisServer replica;
  RedisServer sentinel;
};

TEST_CASE("Sentinels lead to the master, and to the next one after it has died") {
  Cluster cluster;
  loop::Loop loop;
  Node leader(loop, cluster.url());
  Node follower(loop, cluster.url());
  REQUIRE(leader.becomes_up());
  REQUIRE(follower.becomes_up());
  leader.fanout->publish("before");
  REQUIRE(turn_until(loop, [&] { return follower.messages.size() == 1; }));

  // A Sentinel learns of replicas from the master, every ten seconds.
  REQUIRE_MESSAGE(turn_until(loop,
                             [&] {
                               turn_for(loop, milliseconds(100));
                               return cluster.sentinel.log().find("+slave slave") !=
                                      std::string::npos;
                             }),
                  cluster.sentinel.log());
  cluster.master.stop();
  REQUIRE(turn_until(loop, [&] { return !leader.hub->up() && !follower.hub->up(); }));
  REQUIRE_MESSAGE(leader.becomes_up(), cluster.sentinel.log());
  REQUIRE(follower.becomes_up());
  CHECK(follower.hints >= 2);
  leader.fanout->publish("after");
  REQUIRE(turn_until(loop, [&] { return follower.messages.size() == 2; }));
  CHECK(follower.messages.back() == "after");
}

TEST_CASE("a replica is no master, whatever a Sentinel says") {
  RedisServer master;
  RedisServer replica("replicaof 127.0.0.1 " + std::to_string(master.port()));
  loop::Loop loop;
  const auto answer = [](const RedisServer& server) {
    const std::string port = std::to_string(server.port());
    return "*2\r\n$9\r\n127.0.0.1\r\n$" + std::to_string(port.size()) + "\r\n" + port + "\r\n";
  };
  CannedServer stale(loop, answer(replica));
  const std::string first = "redis+sentinel://127.0.0.1:" + std::to_string(stale.port());
  Node misled(loop, first + "/main");
  CHECK(misled.stays_down("it is no master"));

  // With a second one that knows better, the first is no obstacle.
  CannedServer current(loop, answer(master));
  Node node(loop, first + ",127.0.0.1:" + std::to_string(current.port()) + "/main");
  REQUIRE(node.becomes_up());
  CHECK(node.carries("x"));

  CannedServer ignorant(loop, "*-1\r\n");
  Node unknown(loop, "redis+sentinel://127.0.0.1:" + std::to_string(ignorant.port()) + "/main");
  CHECK(unknown.stays_down("it knows no master of that name"));
}

}  // namespace
}  // namespace lattice::backends
