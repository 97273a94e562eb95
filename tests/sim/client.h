// A client of the simulated cluster: one operation at a time, at whatever replica it is pointed at,
// with pauses for thought. What it cannot know it writes down as unknown. Thread: one.
#pragma once

#include <memory>
#include <vector>

#include "keyspace/request_generator.h"
#include "sim/cluster.h"

namespace lattice::sim {

class Client {
 public:
  Client(int number, SimWorld& world, std::vector<std::unique_ptr<Node>>& nodes, History& history)
      : number_(number),
        world_(world),
        nodes_(nodes),
        history_(history),
        generator_(world.rng().next()) {}

  void start(int operations);
  bool finished() const { return left_ == 0 && current_ == nullptr; }

 private:
  void think();
  void act();
  void choose(Op* op);
  keyspace::TxnRequest make_txn(int64_t head, int64_t unique);
  void send(Op* op, Node* node);
  template <class T>
  auto answer(Op* op, Node* node);
  void finish(Op* op, Outcome outcome, Error error);
  int64_t head() const { return head_; }

  const int number_;
  SimWorld& world_;
  std::vector<std::unique_ptr<Node>>& nodes_;
  History& history_;
  keyspace::RequestGenerator generator_;
  int left_ = 0;
  Op* current_ = nullptr;
  size_t at_ = 0;     // the node that it talks to
  int64_t head_ = 1;  // the newest revision that it has seen
  LeaseId lease_;     // the last one that it was granted
};

}  // namespace lattice::sim
