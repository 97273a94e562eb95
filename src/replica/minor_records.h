// Where the records lie that belong to no key (grants, revokes, takeovers, compactions...), so that
// a compaction can delete those that newer ones made superfluous. Thread: one; the owner's. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "keyspace/record.h"

namespace lattice::replica {

class MinorRecords {
 public:
  // Takes notice of a record of the log; key records are ignored. In log order.
  void note(keyspace::RecordId id, const keyspace::Record& record);
  // The records of batches below `below` that the log can do without, in an order in which any
  // prefix of the deletions leaves a log that loads to the same state (a grant goes before its
  // revoke).
  std::vector<keyspace::RecordId> superseded(Seq below) const;
  // Forgets what superseded(below) reports.
  void drop_superseded(Seq below);
  size_t size() const { return notes_.size(); }

 private:
  struct Note {
    keyspace::RecordId id;
    keyspace::RecordKind kind = keyspace::RecordKind::takeover;
    LeaseId lease;
    int64_t number = 0;
  };
  // For each note, whether superseded(below) reports it.
  std::vector<bool> mark_superseded(Seq below) const;
  std::vector<Note> notes_;  // in log order
  // Names of the users and roles that notes are about: their place is Note::number.
  absl::flat_hash_map<std::string, int64_t> names_;
  int64_t next_name_ = 0;
};

}  // namespace lattice::replica
