// The log of one tenant as its replica needs it; src/backends/ implements it on memory, SQLite and
// PostgreSQL. log-protocol.md section P has the rules; the simulator has an implementation that
// breaks them on purpose.
//
// Thread: every call and every callback on the replica's loop. A callback never runs inside the
//   call that it belongs to. After the Log is destroyed no callback runs.
// Ownership: the replica owns its Log.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "base/ids.h"
#include "replica/batch.h"

namespace lattice::replica {

enum class AppendOutcome : uint8_t {
  committed,  // durable at this position, by this very call
  rejected,   // the position does not match: another batch is there (perhaps an earlier submission
              // of this one: look)
  unknown,    // it may or may not be there, now or later
};

struct AppendReply {
  AppendOutcome outcome = AppendOutcome::unknown;
  Status detail;  // why, for logs; backend_full when the database refused for lack of space
  // With `unknown`: this submission has not committed and never will (the database refused it
  // cleanly). It says nothing about an earlier submission of the same batch (P4).
  bool definite_error = false;
};

// What a look at the log shows. Something seen is not yet durable (P6): only a later barrier or
// append on the same connection makes it count.
struct LogHead {
  BatchHeader newest;  // seq 0 when the log is empty
  // Who leads: the process of the newest takeover. Each batch carries its leader's epoch and
  // incarnation, so these are the newest header's.
  Epoch epoch;
  Incarnation leader{};
};

struct LogSize {
  int64_t allocated_bytes = 0;
  int64_t in_use_bytes = 0;
};

// Which server a backend talks to; a promoted standby has the same system and a higher timeline.
// Zeroes where the backend has no such thing.
struct LogServer {
  uint64_t system = 0;
  uint64_t timeline = 0;
  bool operator==(const LogServer&) const = default;
};

// For callers, while a log is not reachable().
inline constexpr std::string_view unreachable_reason = "the database's circuit breaker is open";

class Log {
 public:
  virtual ~Log() = default;

  virtual const LogId& id() const = 0;
  // True for a backend that no other process can write to (SQLite under its file lock, memory): its
  // replica leads for good and needs no session.
  virtual bool exclusive() const = 0;

  // Reads the log in order, starting behind `after`, in bounded chunks. For each batch the header
  // (null if it was trimmed) and those of its records that survive, with their index within the
  // batch.
  struct LoadedBatch {
    std::optional<BatchHeader> header;
    Seq seq;
    std::vector<uint32_t> indexes;
    std::vector<keyspace::Record> records;
  };
  using OnBatch = absl::AnyInvocable<void(LoadedBatch)>;
  virtual void load(Seq after, OnBatch on_batch, StatusCallback done) = 0;

  // One statement, one round trip: inserts the batch where (seq - 1, previous) is the last (P2). A
  // batch may be appended while the one that it follows is in flight; a backend need not keep their
  // order, though it is what makes both succeed. An unknown one is submitted again as the same
  // batch (P5).
  virtual void append(std::shared_ptr<const Batch> batch,
                      absl::AnyInvocable<void(AppendReply)> done) = 0;

  // The header at `seq` (nullopt: not there, or trimmed if below the oldest).
  struct LookReply {
    std::optional<BatchHeader> header;
    Seq oldest;  // oldest header still there
    Seq newest;
  };
  virtual void look(Seq seq, Callback<LookReply> done) = 0;
  virtual void head(Callback<LogHead> done) = 0;
  // Numbers the connection that appends, looks, heads and barriers share: another number after each
  // reconnection, and read in a reply's callback it is that of the connection that replied. What
  // one connection showed says nothing about the server behind the next (P6).
  virtual uint64_t connection() const { return 0; }
  // The server behind connection(), read as that is.
  virtual LogServer server() const { return {}; }
  // What this backend acknowledges is on every server that can be promoted (quorum mode), or there
  // is only one: another server is then no reason to fear for the history (H3).
  virtual bool survives_failover() const { return true; }
  // False: the backend has failed repeatedly, and what needs it is refused at once (its circuit
  // breaker is open). What was submitted goes on, and its outcome remains to be found out.
  virtual bool reachable() const { return true; }
  // Commits a change of one row (P7): when it has answered ok, everything seen before on the same
  // connection is durable.
  virtual void barrier(StatusCallback done) = 0;

  // Compaction (H1): deletes superseded records. Repeating it is harmless.
  virtual void remove(std::vector<keyspace::RecordId> records, StatusCallback done) = 0;
  // Deletes batch headers below `seq`, never the newest, nor those of batches with records.
  virtual void trim(Seq below, StatusCallback done) = 0;

  virtual void size(Callback<LogSize> done) = 0;
  // Gives free space back to the file system where the backend can.
  virtual void defragment(StatusCallback done) = 0;
};

}  // namespace lattice::replica
