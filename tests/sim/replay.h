// Replays the log on the reference model and finds, for each revision, the operation that made it.
// Thread: one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "keyspace/reference_model.h"
#include "sim/checker.h"

namespace lattice::sim {

class Replay {
 public:
  using Fail = absl::FunctionRef<void(std::string)>;
  Replay(const SimDatabase& database, const History& history, Probes& probes, Fail fail);

  Truth run();

 private:
  struct Group {  // the records of one revision
    int64_t revision = 0;
    int64_t at = 0;
    std::vector<const keyspace::Record*> records;
    const keyspace::Record* revoke = nullptr;  // follows them, when a revoke made them
  };

  void sort_operations();
  void take_batch(const Committed& committed);
  void take_minor(const keyspace::Record& record, int64_t at);
  void take_group(const Group& group);
  bool explain_by_owner(const Group& group);
  bool explain_by_revoke(const Group& group);
  bool explain_by_unknown(const Group& group);
  // Whether running `op` on `model` makes exactly this group; `check_result` also compares answers.
  bool makes(const Op& op, const Group& group, keyspace::ReferenceModel* model, bool check_result);
  bool matches(const Group& group, const keyspace::ReferenceModel& model,
               size_t events_before) const;
  void note_events(const Group& group);
  void check_reads();

  const SimDatabase& database_;
  const History& history_;
  Probes& probes_;
  Fail fail_;
  keyspace::ReferenceModel model_;
  std::map<int64_t, std::vector<const Op*>> writers_;  // acknowledged, by the revision they made
  std::map<int64_t, std::vector<const Op*>> readers_;  // acknowledged, by header revision
  std::vector<const Op*> unknown_;                     // might have written; each at most once
  std::map<int64_t, std::pair<int64_t, int64_t>> leases_;  // id -> granted at, TTL
  Truth truth_;
};

}  // namespace lattice::sim
