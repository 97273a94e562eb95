// What the clients of a simulation did and saw, written down for the checker.
// Thread: one; plain data.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "keyspace/requests.h"
#include "replica/api.h"

namespace lattice::sim {

struct PutOp {
  keyspace::PutRequest request;
  std::optional<keyspace::PutResult> result;
};
struct DeleteOp {
  keyspace::DeleteRangeRequest request;
  std::optional<keyspace::DeleteRangeResult> result;
};
struct TxnOp {
  keyspace::TxnRequest request;
  std::optional<keyspace::TxnResult> result;
};
struct RangeOp {
  keyspace::RangeRequest request;
  std::optional<keyspace::RangeResult> result;
};
struct CompactOp {
  Revision revision;
  std::optional<Revision> result;
};
struct GrantOp {
  LeaseId id;
  int64_t ttl = 0;
  std::optional<replica::LeaseGrantResult> result;
};
struct RevokeOp {
  LeaseId id;
  std::optional<Revision> result;
};
struct KeepAliveOp {
  LeaseId id;
  std::optional<replica::LeaseKeepAliveResult> result;
};

enum class Outcome : uint8_t { pending, ok, refused, unknown };

struct Op {
  int client = 0;
  int node = 0;
  uint64_t node_life = 0;
  int64_t called = 0;
  int64_t returned = 0;
  Outcome outcome = Outcome::pending;
  Error error = Error::ok;
  std::variant<PutOp, DeleteOp, TxnOp, RangeOp, CompactOp, GrantOp, RevokeOp, KeepAliveOp> what;
};

// One watch on one stream, from its creation to its end; a client that resumes begins another.
struct WatchRun {
  struct Event {
    int64_t revision = 0;
    int32_t sub = 0;
    bool tombstone = false;
    std::string key;
    std::string value;
    int64_t create = 0;
    int64_t version = 0;
    bool has_prev = false;
    std::string prev_value;
    int64_t prev_mod = 0;
  };
  struct Entry {
    enum Kind : uint8_t { created, events, progress, stream_progress, compacted } kind = created;
    int64_t at = 0;
    int64_t header = 0;
    std::vector<Event> list;
  };
  replica::WatchCreate spec;
  int64_t called = 0;
  std::vector<Entry> entries;
  size_t outstanding_max = 0;  // bytes that were delivered and not consumed, at the worst
  bool open_at_end = false;    // neither closed nor crashed nor compacted when the world stopped
};

struct History {
  std::deque<Op> ops;
  std::deque<WatchRun> watches;
};

}  // namespace lattice::sim
