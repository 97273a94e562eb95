// This process's session in a database that several processes share, and what it can learn of
// others' (log-protocol L1 to L5). One per process and database, whatever the number of tenants.
//
// Thread: the loop that owns it; callbacks there, never inside the call.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/callback.h"
#include "replica/batch.h"
#include "replica/node_info.h"

namespace lattice::replica {

// Up to where a process says that one log is committed (S1).
struct Announcement {
  LogId log{};
  Position position;
};

struct SessionRow {
  Incarnation incarnation{};
  int64_t renewals = 0;
  bool dead = false;
  NodeInfo node;
  // What it has announced of the log that was asked for; seq 0: nothing yet.
  Position announced;
};

class Sessions {
 public:
  virtual ~Sessions() = default;

  // Inserts a fresh row for this incarnation.
  virtual void open(const Incarnation& incarnation, const NodeInfo& node, StatusCallback done) = 0;
  // +1 on the renewal count of a row that is not dead; ok only for a commit that is known (L2). The
  // error not_leader means: declared dead, take a new incarnation. `news` is kept, log by log, for
  // replicas that hear of it in no other way; of a log that is not named there stays what is there.
  virtual void renew(const Incarnation& incarnation, std::vector<Announcement> news,
                     StatusCallback done) = 0;
  // nullopt: no such row, which counts as dead. Those that are read in one turn of the loop are
  // asked for at once.
  virtual void read(const Incarnation& incarnation, const LogId& log,
                    Callback<std::optional<SessionRow>> done) = 0;
  // Declares dead by compare-and-set on exactly what was seen standing still (L3); answers whether
  // it took effect.
  virtual void declare_dead(const Incarnation& incarnation, int64_t renewals,
                            Callback<bool> done) = 0;
  // All rows that are not dead, oldest first, without announcements. Those of processes that died
  // lately are among them.
  virtual void list(Callback<std::vector<SessionRow>> done) = 0;
  // Clean shutdown: marks this session dead so that others take over at once.
  virtual void release(const Incarnation& incarnation, StatusCallback done) = 0;
};

}  // namespace lattice::replica
