#include "backends/common/fanout_pair.h"

#include <doctest/doctest.h>

#include <vector>

namespace lattice::backends {
namespace {

struct Seen {
  std::vector<std::string> published;
  replica::Fanout::Receiver receiver;
};

class FakeFanout final : public replica::Fanout {
 public:
  explicit FakeFanout(Seen& seen) : seen_(seen) {}
  void subscribe(Receiver receiver) override { seen_.receiver = std::move(receiver); }
  void publish(std::string message) override { seen_.published.push_back(std::move(message)); }

 private:
  Seen& seen_;
};

struct World {
  Seen first;
  Seen second;
  bool first_up = true;
  FanoutPair pair{std::make_unique<FakeFanout>(first), [this] { return first_up; },
                  std::make_unique<FakeFanout>(second)};
};

using Texts = std::vector<std::string>;

TEST_CASE("the first carries what is published while it is up, else the second") {
  World world;
  world.pair.publish("a");
  world.first_up = false;
  world.pair.publish("b");
  world.first_up = true;
  world.pair.publish("c");
  CHECK(world.first.published == Texts{"a", "c"});
  CHECK(world.second.published == Texts{"b"});
}

TEST_CASE("both are listened to, whichever is up") {
  World world;
  Texts seen;
  world.pair.subscribe({.message = [&](std::string_view m) { seen.emplace_back(m); },
                        .hint = [&] { seen.emplace_back("hint"); }});
  world.first_up = false;
  world.first.receiver.message("1");
  world.second.receiver.message("2");
  world.first.receiver.hint();
  world.second.receiver.hint();
  CHECK(seen == Texts{"1", "2", "hint", "hint"});
}

TEST_CASE("a receiver without one of its halves is a receiver") {
  World world;
  int hints = 0;
  world.pair.subscribe({.message = {}, .hint = [&] { ++hints; }});
  world.first.receiver.message("ignored");
  world.second.receiver.hint();
  CHECK(hints == 1);
}

TEST_CASE("a receiver may end its subscription while it runs") {
  World world;
  auto count = std::make_shared<int>(0);
  world.pair.subscribe({.message = {}, .hint = [&world, count] {
                          const auto kept = count;
                          world.pair.subscribe({});
                          ++*kept;
                        }});
  auto running = std::move(world.second.receiver.hint);
  running();
  CHECK(*count == 1);
  CHECK(!world.first.receiver.message);
  CHECK(!world.first.receiver.hint);
  CHECK(!world.second.receiver.message);
}

}  // namespace
}  // namespace lattice::backends
