// One tenant's events for thousands of watches, and another tenant's requests on the same loop.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "backends/memory/memory_store.h"
#include "proxy/fair_shares.h"
#include "replica/replica.h"
#include "server/loop_environment.h"

namespace lattice::server {
namespace {

constexpr size_t watches = 5000;
constexpr Duration time_of_a_delivery = std::chrono::microseconds(1);
constexpr Duration time_of_a_request = std::chrono::microseconds(5);

// A loop whose shares are measured on the test's own clock, which only work moves on.
struct SharedLoop {
  SharedLoop() {
    flow = std::make_shared<proxy::FairFlow>(std::make_shared<proxy::FairFlow::Count>(0));
    environment = std::make_unique<LoopEnvironment>(loop, &shares, flow);
    store = std::make_unique<backends::MemoryStore>(*environment);
    replica = std::make_unique<replica::Replica>(replica::Options{}, *environment,
                                                 store->open_log("greedy", *environment),
                                                 replica::Links{}, nullptr);
    replica->start();
    turn_until([this] { return replica->can_linearize(); });
  }
  template <class Done>
  void turn_until(Done done) {
    for (int turns = 0; !done(); ++turns) {
      REQUIRE(turns < 1'000'000);
      loop.turn();
    }
  }

  Instant clock{1'000'000'000};
  loop::Loop loop;
  proxy::FairShares shares{
      {.now = [this] { return clock; },
       .thread_time = [this] { return clock - Instant{}; },
       .call_in_this_turn = [this] { loop.defer([this] { shares.run_turn(); }); },
       .call_in_next_turn = [this] { loop.post([this] { shares.run_turn(); }); }}};
  proxy::SharedFlow flow;
  std::unique_ptr<LoopEnvironment> environment;
  std::unique_ptr<backends::MemoryStore> store;
  std::unique_ptr<replica::Replica> replica;
};

class CountingSink final : public replica::WatchSink {
 public:
  explicit CountingSink(Instant& clock) : clock_(clock) {}
  void on_created(WatchId, Revision, replica::WatchRefusal refusal) override {
    created += refusal == replica::WatchRefusal::none;
  }
  void on_events(WatchId, Revision, bool, replica::WatchEvents) override {
    ++delivered;
    clock_ = clock_ + time_of_a_delivery;
  }
  void on_progress(WatchId, Revision) override {}
  void on_compacted(WatchId, Revision) override {}
  void on_canceled(WatchId, Revision) override {}
  void on_closed(Status) override {}

  size_t created = 0;
  size_t delivered = 0;

 private:
  Instant& clock_;
};

// Another tenant: a small request, and as soon as that is answered the next one.
class Neighbour final : public proxy::FairWaiter {
 public:
  Neighbour(SharedLoop& in, const CountingSink& beside) : in_(in), beside_(beside) { ask(); }
  ~Neighbour() override { in_.shares.remove(*this); }
  bool run(size_t) override {
    served_at.push_back(beside_.delivered);
    in_.clock = in_.clock + time_of_a_request;
    in_.loop.post([this] { ask(); });
    return false;
  }

  std::vector<size_t> served_at;  // behind how many deliveries

 private:
  void ask() {
    in_.shares.note(flow_, in_.loop.now());
    in_.shares.enqueue(*this, flow_);
  }

  SharedLoop& in_;
  const CountingSink& beside_;
  const proxy::SharedFlow flow_ =
      std::make_shared<proxy::FairFlow>(std::make_shared<proxy::FairFlow::Count>(0));
};

void put(SharedLoop& in) {
  keyspace::PutRequest request;
  request.key = "hot";
  in.replica->put(std::move(request),
                  [](const Result<keyspace::PutResult>& result) { REQUIRE(result.ok()); });
}

}  // namespace

TEST_CASE("A fan-out to thousands of watches lets another tenant's requests in between") {
  SharedLoop in;
  CountingSink sink(in.clock);
  const auto stream = in.replica->open_watch_stream(sink);
  for (size_t i = 0; i < watches; ++i) {
    replica::WatchCreate create;
    create.range.key = "hot";
    stream->create(create);
  }
  in.turn_until([&] { return sink.created == watches; });
  // Alone, it is served all at once.
  put(in);
  size_t turns = 0;
  in.turn_until([&] {
    turns += sink.delivered > 0;
    return sink.delivered == watches;
  });
  CHECK(turns == 1);

  Neighbour neighbour(in, sink);
  in.loop.turn();
  for (int round = 2; round <= 4; ++round) {
    put(in);
    in.turn_until([&] { return sink.delivered == static_cast<size_t>(round) * watches; });
  }
  // Between the pieces of each round, and none of them is longer than a turn's budget allows.
  size_t longest = 0;
  for (size_t i = 1; i < neighbour.served_at.size(); ++i) {
    longest = std::max(longest, neighbour.served_at[i] - neighbour.served_at[i - 1]);
  }
  const auto in_between = std::ranges::count_if(
      neighbour.served_at, [](size_t delivered) { return delivered % watches != 0; });
  CHECK(longest * time_of_a_delivery <= 2 * proxy::FairShares::turn_budget_max);
  CHECK(in_between >= 20);
}

}  // namespace lattice::server
