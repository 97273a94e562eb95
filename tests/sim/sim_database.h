// The shared database of a simulation: one tenant's log and the sessions, as a server sees them.
// Rows become visible before they are durable; a failover loses what was not (log-protocol P6).
// Thread: one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "replica/batch.h"
#include "replica/sessions.h"
#include "sim/sim_world.h"

namespace lattice::sim {

// Ground truth: a batch that is in the chain, with all the records that it was appended with.
struct Committed {
  std::shared_ptr<const replica::Batch> batch;
  int64_t at = 0;  // when it became visible
};

class SimDatabase {
 public:
  struct Row {
    replica::BatchHeader header;
    std::map<uint32_t, keyspace::Record> records;  // the surviving ones
    bool durable = false;
  };

  explicit SimDatabase(SimWorld& world) : world_(world) {
    for (uint8_t& byte : id_) byte = static_cast<uint8_t>(world.rng().next());
  }

  const replica::LogId& id() const { return id_; }
  // +1 with each failover: connections of an earlier server are dead, and so is what they run.
  uint64_t server() const { return server_; }

  // The compare-and-set insert (P2). The row is visible, not durable.
  bool insert(const std::shared_ptr<const replica::Batch>& batch);
  // Everything visible now, sessions included, survives from here on.
  // False while there is no standby to acknowledge it.
  bool flush() {
    if (standby_gone) return false;
    for (auto at = rows_.rbegin(); at != rows_.rend() && !at->second.durable; ++at) {
      at->second.durable = true;
    }
    return true;
  }
  // A standby is promoted: rows that were not durable are gone. Answers how many.
  size_t fail_over();
  // An asynchronous standby is promoted: so many of the newest rows are gone, acknowledged or not.
  void fail_over_losing(size_t rows);

  // The newest rows are out of sight, as on a server that was left behind; and back again.
  void conceal(size_t rows);
  void reveal();

  void remove(const std::vector<keyspace::RecordId>& records);
  void trim(Seq below);

  const std::map<uint64_t, Row>& rows() const { return rows_; }
  std::map<replica::Incarnation, replica::SessionRow>& sessions() { return sessions_; }
  const std::map<uint64_t, Committed>& truth() const { return truth_; }

  bool asynchronous = false;         // what is durable here need not survive a failover
  bool full = false;                 // every append is refused for lack of space
  bool standby_gone = false;         // commits wait; what they wrote is visible
  bool removal_fails = false;        // records cannot be deleted
  std::function<void()> on_removal;  // called once, when records have been deleted

 private:
  SimWorld& world_;
  replica::LogId id_{};
  uint64_t server_ = 1;
  std::map<uint64_t, Row> rows_;
  std::map<uint64_t, Row> concealed_;
  std::map<uint64_t, Committed> truth_;
  std::map<replica::Incarnation, replica::SessionRow> sessions_;
};

}  // namespace lattice::sim
