// Judges a history against the log that is left at the end, by the invariants of reliability.md
// section 2 (their numbers are in the messages). The log is replayed on the reference model,
// revision by revision; each answer is compared with what the model answers there. Thread: one.
#pragma once

#include <string>
#include <vector>

#include "sim/history.h"
#include "sim/probes.h"
#include "sim/sim_database.h"

namespace lattice::sim {

// A change of one key as the log has it, with what it replaced: what a watch has to tell.
using TruthEvent = WatchRun::Event;

// A lease's end in the log.
struct TruthGrant {
  int64_t lease = 0;
  int64_t at = 0;
};

struct TruthRevoke {
  int64_t lease = 0;
  int64_t granted_at = 0;
  int64_t ttl = 0;
  int64_t at = 0;
};

struct TruthCompact {
  int64_t revision = 0;
  int64_t at = 0;
};

struct Truth {
  std::vector<TruthEvent> events;
  std::vector<TruthGrant> grants;
  std::vector<TruthRevoke> revokes;
  std::vector<TruthCompact> compacts;  // in log order
  int64_t head = 1;
};

class Checker {
 public:
  Checker(const SimDatabase& database, const History& history, Probes& probes)
      : database_(database), history_(history), probes_(probes) {}

  // What is wrong, in words; empty when nothing is.
  std::vector<std::string> run();

 private:
  void fail(std::string what) {
    if (problems_.size() < 10) problems_.push_back(std::move(what));
  }
  void check_chain();       // A1
  void replay();            // A2 to A5, B7 to B11
  void check_real_time();   // B6, B12
  void check_compaction();  // C16, C17
  void check_leases();      // E39, E42, E43
  bool granted_again(const TruthRevoke& end, int64_t before) const;
  void check_watches();  // D20 to D36
  void check_watch(const WatchRun& run);
  bool check_entry(const WatchRun& run, const WatchRun::Entry& entry, size_t* at, int64_t* header);

  const SimDatabase& database_;
  const History& history_;
  Probes& probes_;
  Truth truth_;
  std::vector<std::string> problems_;
};

// Of an acknowledged operation: its header revision, and whether it changed keys.
int64_t header_of(const Op& op);
bool wrote(const Op& op);
bool is_serializable(const Op& op);

}  // namespace lattice::sim
