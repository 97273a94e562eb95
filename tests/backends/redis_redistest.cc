#include "backends/redis/redis_hub.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>

#include "backends/redis_fixture.h"

namespace lattice::backends {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Texts = std::vector<std::string>;

constexpr const char* channel = "lattice:{00ff}";

// A process with one log.
struct Node {
  Node(loop::Loop& owner, const std::string& url, bool listen = true) : loop(owner) {
    auto opened = RedisHub::open(loop, url);
    REQUIRE(opened.ok());
    hub = std::move(*opened);
    fanout = hub->fanout(channel);
    if (!listen) return;
    fanout->subscribe({.message = [this](std::string_view m) { messages.emplace_back(m); },
                       .hint = [this] { ++hints; }});
  }
  bool becomes_up() const {
    return turn_until(loop, [&] { return hub->up(); });
  }
  bool becomes_down() const {
    return turn_until(loop, [&] { return !hub->up(); });
  }

  loop::Loop& loop;
  std::unique_ptr<RedisHub> hub;
  std::unique_ptr<RedisFanout> fanout;
  Texts messages;
  int hints = 0;
};

std::string health_of(const Node& node) { return node.hub->health().detail(); }
bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

TEST_CASE("what one publishes the other receives, byte for byte and in order") {
  RedisServer server;
  loop::Loop loop;
  Node leader(loop, server.url());
  Node follower(loop, server.url());
  CHECK(!leader.hub->up());
  CHECK(leader.hub->health().error() == Error::backend_unavailable);
  REQUIRE(leader.becomes_up());
  REQUIRE(follower.becomes_up());
  CHECK(leader.hub->health().ok());
  CHECK(follower.hints == 1);
  CHECK(follower.messages.empty());

  std::string binary;
  for (int i = 0; i < 1024; ++i) binary += static_cast<char>(i);
  const Texts sent = {"first", binary, "", "\r\n$3\r\n",
                      std::string(RedisHub::message_bytes_max, 'x')};
  for (const std::string& message : sent) leader.fanout->publish(message);
  CHECK(follower.messages.empty());  // never inside the call
  REQUIRE(turn_until(loop, [&] { return follower.messages.size() == sent.size(); }));
  CHECK(follower.messages == sent);
  REQUIRE(turn_until(loop, [&] { return leader.messages.size() == sent.size(); }));
  CHECK(leader.hub->counters().published == sent.size());
  CHECK(leader.hub->counters().dropped == 0);
  CHECK(follower.hub->counters().received == sent.size());
  CHECK(follower.hub->counters().reconnects == 0);
}

TEST_CASE("a name is resolved, and each of its addresses is tried") {
  RedisServer server;
  loop::Loop loop;
  Node node(loop, "redis://localhost:" + std::to_string(server.port()));
  CHECK(node.becomes_up());

  Node lost(loop, "redis://no-such-host.invalid:" + std::to_string(server.port()));
  REQUIRE(turn_until(loop, [&] { return has(health_of(lost), "no-such-host.invalid: "); }));
}

TEST_CASE("many logs share a hub, and each hears its own channel for as long as it wants") {
  RedisServer server;
  loop::Loop loop;
  Node publisher(loop, server.url(), /*listen=*/false);
  Node node(loop, server.url());
  std::vector<std::unique_ptr<RedisFanout>> fanouts;
  std::vector<Texts> seen(200);
  for (size_t i = 0; i < seen.size(); ++i) {
    fanouts.push_back(node.hub->fanout("lattice:{" + std::to_string(i) + "}"));
    fanouts[i]->subscribe(
        {.message = [&seen, i](std::string_view m) { seen[i].emplace_back(m); }, .hint = {}});
    // Some begin before there is a connection, some after.
    if (i == 100) REQUIRE(node.becomes_up());
  }
  REQUIRE(node.becomes_up());
  REQUIRE(publisher.becomes_up());
  fanouts[7]->subscribe({});
  fanouts[8].reset();
  const auto publish_all = [&](const std::string& text) {
    for (size_t i = 0; i < seen.size(); ++i) {
      publisher.hub->fanout("lattice:{" + std::to_string(i) + "}")->publish(text);
    }
  };
  publish_all("one");
  REQUIRE(turn_until(loop, [&] { return !seen.back().empty(); }));
  for (size_t i = 0; i < seen.size(); ++i)
    CHECK(seen[i] == (i == 7 || i == 8 ? Texts{} : Texts{"one"}));
  CHECK(node.hub->up());

  fanouts[7]->subscribe(
      {.message = [&seen](std::string_view m) { seen[7].emplace_back(m); }, .hint = {}});
  CHECK(!fanouts[7]->up());
  CHECK(fanouts[9]->up());
  REQUIRE(node.becomes_up());
  publish_all("two");
  REQUIRE(turn_until(loop, [&] { return seen.back().size() == 2; }));
  CHECK(seen[7] == Texts{"two"});
}

TEST_CASE("whoever is called back may end everything") {
  RedisServer server;
  loop::Loop loop;
  Node publisher(loop, server.url(), /*listen=*/false);
  REQUIRE(publisher.becomes_up());
  for (const bool by_hint : {true, false}) {
    auto opened = RedisHub::open(loop, server.url());
    auto fanout = (*opened)->fanout(channel);
    const auto end = [&] {
      fanout.reset();
      opened->reset();
    };
    int hints = 0;
    fanout->subscribe({.message = [&](std::string_view) { end(); },
                       .hint =
                           [&] {
                             ++hints;
                             if (by_hint) end();
                           }});
    REQUIRE(turn_until(loop, [&] { return hints == 1; }));
    for (int i = 0; i < 3; ++i) publisher.fanout->publish("end");
    REQUIRE(turn_until(loop, [&] { return *opened == nullptr; }));
    turn_for(loop, milliseconds(20));
    CHECK(hints == 1);
  }
  // At any moment of its life, without a callback.
  for (int turns = 0; turns < 40; ++turns) {
    Node node(loop, server.url());
    for (int i = 0; i < turns; ++i) loop.turn();
    node.fanout->publish("last");
  }
}

TEST_CASE("after a crash of Redis it comes back, and says that there was a gap") {
  RedisServer server;
  loop::Loop loop;
  Node leader(loop, server.url());
  Node follower(loop, server.url());
  REQUIRE(leader.becomes_up());
  REQUIRE(follower.becomes_up());
  turn_for(loop, milliseconds(1100));  // a stable connection, so the back-off begins at its least
  for (int round = 1; round <= 3; ++round) {
    server.stop();
    REQUIRE(leader.becomes_down());
    REQUIRE(follower.becomes_down());
    CHECK(!leader.fanout->up());
    // Until its end is noticed a connection takes what is given to it.
    const uint64_t dropped = leader.hub->counters().dropped;
    REQUIRE(turn_until(loop, [&] {
      leader.fanout->publish("lost");
      return leader.hub->counters().dropped > dropped;
    }));
    turn_for(loop, milliseconds(200));
    CHECK(has(health_of(leader), "127.0.0.1:" + std::to_string(server.port())));
    server.start();
    REQUIRE(leader.becomes_up());
    REQUIRE(follower.becomes_up());
    CHECK(follower.hints == round + 1);
    leader.fanout->publish("again");
    REQUIRE(
        turn_until(loop, [&] { return follower.messages.size() == static_cast<size_t>(round); }));
    CHECK(follower.messages.back() == "again");
  }
  CHECK(leader.hub->counters().reconnects >= 6);
}

TEST_CASE("a Redis that stands still blocks nobody and fills no memory") {
  RedisServer server;
  loop::Loop loop;
  Node node(loop, server.url());
  REQUIRE(node.becomes_up());
  server.freeze();
  const Instant begin = loop.fresh_now();
  const std::string message(65536, 'x');
  constexpr int count = 1000;  // 64 MiB
  Duration longest{};
  for (int i = 0; i < count; ++i) {
    const Instant before = loop.fresh_now();
    node.fanout->publish(message);
    loop.turn();
    longest = std::max(longest, loop.fresh_now() - before);
  }
  const RedisHub::Counters counters = node.hub->counters();
  CHECK(counters.published + counters.dropped == count);
  // 8 MiB here, and what the kernel's two buffers take.
  CHECK(counters.published * message.size() < size_t{24} << 20);
  CHECK(longest < seconds(2));
  CHECK(!node.fanout->up());
  CHECK(has(health_of(node), "keep up"));

  // Given up within three seconds, of which one may pass before it is asked.
  REQUIRE(turn_until(loop, [&] { return has(health_of(node), "does not answer"); }));
  CHECK(loop.fresh_now() - begin < seconds(10));
  turn_for(loop, seconds(3));  // connecting succeeds, as far as the kernel knows
  CHECK(!node.hub->up());
  const int hints = node.hints;
  server.thaw();
  REQUIRE(node.becomes_up());
  CHECK(node.hints > hints);
  node.fanout->publish("again");
  REQUIRE(
      turn_until(loop, [&] { return !node.messages.empty() && node.messages.back() == "again"; }));
}

TEST_CASE("a connection with nothing to do is kept") {
  RedisServer server;
  loop::Loop loop;
  Node node(loop, server.url());
  REQUIRE(node.becomes_up());
  turn_for(loop, milliseconds(4500));
  CHECK(node.hub->up());
  CHECK(node.hub->counters().reconnects == 0);
}

TEST_CASE("a stranger's bytes arrive as they are, and too many of them do not arrive") {
  RedisServer server;
  loop::Loop loop;
  Node node(loop, server.url());
  REQUIRE(node.becomes_up());
  const std::string garbage("\0\xff*-1\r\n-ERR no\r\n", 16);
  CHECK(server.command({"PUBLISH", channel, garbage}) == "1");
  REQUIRE(turn_until(loop, [&] { return node.messages == Texts{garbage}; }));
  CHECK(server.command({"PUBLISH", channel, std::string(RedisHub::message_bytes_max + 1, 'x')}) ==
        "1");
  CHECK(server.command({"PUBLISH", "lattice:{other}", "not for us"}) == "0");
  CHECK(server.command({"PUBLISH", channel, "after"}) == "1");
  REQUIRE(turn_until(loop, [&] { return node.messages.size() == 2; }));
  CHECK(node.messages.back() == "after");
  CHECK(node.hub->counters().ignored == 1);
  CHECK(node.hub->counters().reconnects == 0);

  // Beyond what is ever read into memory: a new connection, and a hint.
  CHECK(server.command({"PUBLISH", channel, std::string(size_t{6} << 20, 'x')}) == "1");
  REQUIRE(turn_until(loop, [&] { return node.hints == 2; }));
  REQUIRE(node.becomes_up());
  CHECK(node.hub->counters().ignored == 1);
  node.fanout->publish(std::string(RedisHub::message_bytes_max + 1, 'x'));
  CHECK(node.hub->counters().dropped == 1);
}

}  // namespace
}  // namespace lattice::backends
