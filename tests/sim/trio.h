// Three nodes that lead and follow on one database, for scenarios that are told step by step.
// Thread: one.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/cluster.h"

namespace lattice::sim {

class Trio {
 public:
  // `asynchronous`: what the database acknowledges need not survive its failover.
  Trio(uint64_t seed, bool with_fanout, bool asynchronous) : world_(seed) {
    database_.asynchronous = asynchronous;
    network_.faults() = {0, 0, 0, 0, 0, 0};
    for (int i = 0; i < 3; ++i) {
      nodes_.push_back(
          std::make_unique<Node>(world_, database_, probes_, false,
                                 Node::Ties{&network_, with_fanout, "node " + std::to_string(i)}));
      nodes_.back()->faults() = {0, 0, 0, 0, 0, 0, false};
      nodes_.back()->start();
    }
    run_for(std::chrono::seconds(3));
  }

  void run_for(Duration time) { world_.run_for(time); }
  SimDatabase& database() { return database_; }
  const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  Node* follower() {
    const auto at = std::ranges::find_if(
        nodes_, [](const auto& node) { return !node->replica()->can_linearize(); });
    return at == nodes_.end() ? nullptr : at->get();
  }
  // What `ask` is told by the callback that it is given; timeout if that takes too long.
  template <class Answer, class Ask>
  Result<Answer> answer_of(Ask ask) {
    auto answer = std::make_shared<std::optional<Result<Answer>>>();
    ask([answer](Result<Answer> result) { *answer = std::move(result); });
    for (int i = 0; i < 1000 && !*answer; ++i) run_for(std::chrono::milliseconds(10));
    return *answer ? std::move(**answer) : Result<Answer>(Error::timeout);
  }

 private:
  SimWorld world_;
  SimDatabase database_{world_};
  Probes probes_;
  SimNetwork network_{world_, probes_};
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace lattice::sim
