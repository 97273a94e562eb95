// A compressed message that is too large to be inflated as it arrives: it is done in pieces, each
// in its connection's turn (fair_shares.h), and what follows it on its stream waits.
//
// What is inflated takes memory before anybody has asked for it, so few messages of a loop are
// under way at once, and one of each connection; the others wait as they came, compressed.
// Connections take turns.
//
// Thread: the connection's loop.
// Ownership: an Inflation is its exchange's; Inflations only knows them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "proxy/fair_shares.h"
#include "proxy/gzip.h"
#include "proxy/session.h"

namespace lattice::proxy {

class GrpcExchange;

class Inflation final : public FairWaiter {
 public:
  Inflation(GrpcExchange& exchange, std::unique_ptr<GzipInflater> of)
      : inflater(std::move(of)), exchange_(exchange) {}
  bool run(size_t size) override;
  // What waits with it. What it makes is bounded by how many are under way.
  size_t held() const { return inflater->compressed_bytes() + behind.capacity(); }

  const std::unique_ptr<GzipInflater> inflater;
  std::string behind;  // of the body
  bool ended = false;  // so has the body

 private:
  friend class Inflations;

  GrpcExchange& exchange_;
  SessionHost* connection_ = nullptr;  // null: not among Inflations
  uint64_t number_ = 0;
};

// Those of one loop.
class Inflations {
 public:
  static constexpr int under_way_max = 4;

  // Its turns begin as soon as there is a place for it.
  void add(SessionHost& connection, Inflation& inflation);
  // It is done, or nobody wants it any more. Nothing if it is not there.
  void remove(Inflation& inflation);
  bool has(SessionHost& connection) const { return lines_.contains(&connection); }

 private:
  struct Line {
    Inflation* under_way = nullptr;
    std::map<uint64_t, Inflation*> waiting;  // by arrival
  };
  void begin_more();

  std::map<SessionHost*, Line> lines_;
  std::deque<SessionHost*> ready_;  // those with nothing under way, in their order
  int under_way_ = 0;
  uint64_t added_ = 0;
};

}  // namespace lattice::proxy
