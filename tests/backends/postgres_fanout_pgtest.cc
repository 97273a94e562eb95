// NOTIFY as a fan-out: hints that arrive, few of them, and only while somebody wants them.

#include "backends/postgres_intruder.h"
#include "backends/postgres_world.h"

namespace lattice::backends {
namespace {

replica::LogId log_id(uint8_t fill) {
  replica::LogId id;
  id.fill(fill);
  return id;
}

replica::Fanout::Receiver count_hints(int* hints) {
  return {[](std::string_view) { FAIL("no message was sent"); }, [hints] { ++*hints; }};
}

bool turn_until(PostgresWorld& world, const std::function<bool()>& happened) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!happened() && std::chrono::steady_clock::now() < deadline) world.turn();
  return happened();
}

void turn_for(PostgresWorld& world, std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) world.turn();
}

TEST_CASE("postgres fanout: what one process publishes, another one hears of") {
  const std::string url = shared_server().url(shared_server().create_database());
  PostgresWorld sender(url);
  PostgresWorld listener(url);
  auto out = sender.store().open_fanout(log_id(1));
  auto in = listener.store().open_fanout(log_id(1));
  auto other = listener.store().open_fanout(log_id(2));
  int hints = 0;
  int others = 0;
  in->subscribe(count_hints(&hints));
  CHECK(hints == 0);
  other->subscribe(count_hints(&others));
  // One as soon as it listens: there may have been something before.
  REQUIRE(turn_until(listener, [&] { return hints > 0 && others > 0; }));
  turn_for(listener, std::chrono::milliseconds(50));
  hints = others = 0;
  out->publish("");
  // The first one waits for its connection.
  CHECK(turn_until(listener, [&] {
    sender.turn();
    return hints == 1;
  }));

  // Many become few, and the last one is not lost.
  hints = 0;
  for (int i = 0; i < 200; ++i) {
    out->publish("");
    turn_for(sender, std::chrono::milliseconds(1));
  }
  turn_for(sender, std::chrono::milliseconds(100));
  turn_for(listener, std::chrono::milliseconds(200));
  CHECK(hints >= 2);
  CHECK(hints <= 40);
  CHECK(others == 0);
  CHECK(sender.store().lost_notifications() == 0);
}

TEST_CASE("postgres fanout: the newest message travels, if it is small") {
  const std::string url = shared_server().url(shared_server().create_database());
  PostgresWorld world(url);
  auto fanout = world.store().open_fanout(log_id(1));
  int hints = 0;
  std::vector<std::string> messages;
  fanout->subscribe(
      {[&](std::string_view message) { messages.emplace_back(message); }, [&] { ++hints; }});
  REQUIRE(turn_until(world, [&] { return hints > 0; }));
  turn_for(world, std::chrono::milliseconds(50));
  hints = 0;
  const std::string binary("\0\x27;\xff", 4);
  fanout->publish(binary);
  CHECK(turn_until(world, [&] { return !messages.empty(); }));
  for (int i = 0; i < 100; ++i) fanout->publish(std::to_string(i));
  CHECK(turn_until(world, [&] { return messages.back() == "99"; }));
  CHECK(messages.front() == binary);
  CHECK(messages.size() <= 3);
  CHECK(hints == 0);
  fanout->publish(std::string(3901, 'x'));
  CHECK(turn_until(world, [&] { return hints == 1; }));
}

TEST_CASE("postgres fanout: a listener that lost its connection is told to look") {
  const std::string database = shared_server().create_database();
  PostgresWorld world(shared_server().url(database));
  auto fanout = world.store().open_fanout(log_id(1));
  int hints = 0;
  fanout->subscribe(count_hints(&hints));
  REQUIRE(turn_until(world, [&] { return hints == 1; }));
  shared_server().sql("postgres",
                      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                      "application_name = 'lattice listen' AND datname = '" +
                          database + "'");
  REQUIRE(turn_until(world, [&] { return hints == 2; }));
  fanout->publish("");
  CHECK(turn_until(world, [&] { return hints == 3; }));
}

TEST_CASE("postgres fanout: who has left hears nothing, not even of itself") {
  const std::string url = shared_server().url(shared_server().create_database());
  PostgresWorld world(url);
  auto leaving = world.store().open_fanout(log_id(1));
  auto gone = world.store().open_fanout(log_id(1));
  auto staying = world.store().open_fanout(log_id(1));
  int left = 0;
  int stayed = 0;
  // Ends its own subscription, and another one, from within a hint.
  leaving->subscribe({{}, [&] {
                        ++left;
                        leaving->subscribe({});
                        gone.reset();
                      }});
  gone->subscribe({{}, [&] { FAIL("gone"); }});
  staying->subscribe(count_hints(&stayed));
  REQUIRE(turn_until(world, [&] { return left == 1 && stayed > 0; }));
  turn_for(world, std::chrono::milliseconds(50));
  stayed = 0;
  staying->publish("");
  CHECK(turn_until(world, [&] { return stayed == 1; }));
  CHECK(left == 1);
  // The last one: nothing is listened to any more.
  staying.reset();
  leaving->publish("");
  turn_for(world, std::chrono::milliseconds(50));
  CHECK(stayed == 1);
}

TEST_CASE("postgres fanout: what cannot be sent is counted and dropped") {
  const std::string database = shared_server().create_database();
  PostgresWorld world(shared_server().url(database));
  auto fanout = world.store().open_fanout(log_id(1));
  const auto allow_connections = [&](const char* allowed) {
    shared_server().sql("postgres", "ALTER DATABASE " + database + " ALLOW_CONNECTIONS " + allowed);
  };
  allow_connections("false");
  fanout->publish("");
  CHECK(turn_until(world, [&] { return world.store().lost_notifications() == 1; }));
  allow_connections("true");
  int hints = 0;
  fanout->subscribe(count_hints(&hints));
  REQUIRE(turn_until(world, [&] { return hints == 1; }));
  // Heard again as soon as the other connection is back, too.
  CHECK(turn_until(world, [&] {
    fanout->publish("");
    return hints > 1;
  }));
}

}  // namespace
}  // namespace lattice::backends
