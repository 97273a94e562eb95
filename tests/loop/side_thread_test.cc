#include "loop/side_thread.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

namespace lattice::loop {
namespace {

// Notes the thread that it dies on.
struct Shared {
  explicit Shared(std::optional<std::thread::id>& note) : died_on(note) {}
  ~Shared() { died_on = std::this_thread::get_id(); }
  std::optional<std::thread::id>& died_on;
};

// Takes its time to die, and lets go of what it shares last.
struct SlowWork {
  struct Pause {
    Pause() = default;
    Pause(Pause&& other) noexcept : mine(std::exchange(other.mine, false)) {}
    ~Pause() {
      if (mine) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    bool mine = true;
  };
  void operator()() const {}
  std::shared_ptr<Shared> shared;
  Pause pause;
};

}  // namespace

TEST_CASE("side thread: what work and done share dies on the loop's thread") {
  Loop loop;
  std::optional<std::thread::id> died_on;
  bool done = false;
  {
    SideThread side(loop, "side", 8);
    auto shared = std::make_shared<Shared>(died_on);
    REQUIRE(side.run(SlowWork{shared, {}}, [&done, shared] { done = true; }));
    shared.reset();
    while (!done) loop.turn();
  }
  loop.turn();
  CHECK(died_on == std::this_thread::get_id());
}

}  // namespace lattice::loop
