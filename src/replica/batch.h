// A batch: what one append adds to a log. Its digest chains it to everything before it
// (log-protocol P1).
// Thread: plain data; a batch on its way to a backend is shared as const.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "keyspace/record.h"

namespace lattice::replica {

using BatchId = std::array<uint8_t, 16>;
// One life of one process as the database knows it; never reused.
using Incarnation = std::array<uint8_t, 16>;
// Names a log within its database; part of every digest.
using LogId = std::array<uint8_t, 16>;

// How many batches a leader may have appended whose outcome it does not know. A reader of the log
// counts on it: what stands this far behind the newest batch was known to be committed.
inline constexpr size_t appends_in_flight_max = 2;

struct BatchHeader {
  Seq seq;
  Digest previous{};  // the digest of seq - 1
  Digest digest{};
  Epoch epoch;
  Incarnation incarnation{};
  BatchId id{};
  Revision last_revision;  // the head revision after this batch
  uint32_t record_count = 0;

  Position position() const { return {seq, digest}; }
};

struct Batch {
  BatchHeader header;
  std::vector<keyspace::Record> records;
};

// SHA-256 over: previous digest, log id, seq, epoch, incarnation, batch id, last_revision,
// record_count, then each record's canonical bytes (docs/log-format.md).
Digest compute_digest(const LogId& log, const BatchHeader& header,
                      const std::vector<keyspace::Record>& records);

}  // namespace lattice::replica
