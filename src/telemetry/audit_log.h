// The audit log: one line for each change, log-in and refusal (docs/audit.md), written by a thread
// of its own. Nobody waits for the disk: lines wait in memory, up to a bound, and what no longer
// fits is counted, in a metric and in the log itself (decision 0015).
//
// Thread: any, except where it says otherwise.
// Ownership: made at the start, outlives all who write; the destructor writes what waits, for a few
//   seconds at most. Outlived by the registry and the logger.
// Invariants: a line is whole or not there; lines of one thread keep their order.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "telemetry/audit_line.h"
#include "telemetry/logger.h"
#include "telemetry/metrics.h"

namespace lattice::telemetry {

class AuditLog {
 public:
  struct Options {
    std::string output = {};  // AuditFile::standard_output or a file's name
    std::string node = {};    // of this process, in each line
    // No change without a line: has_room() then says no in good time.
    bool required = false;
    size_t waiting_bytes_max = 16 << 20;
    int refusals_per_second_max = 1000;
  };
  // Errors: io.
  static Result<std::unique_ptr<AuditLog>> open(Options options, Registry& registry, Logger& log);
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  AuditLine begin(std::string_view event) const { return {options_.node, event}; }
  // Nothing if there were too many in this second: peers choose how many there are.
  std::optional<AuditLine> begin_refusal(std::string_view event = "refusal");
  // What changes something. Where the log is required it is taken even when there is no room left:
  // what has_room() let in must be told.
  void write(AuditLine line);
  // What was refused may fill only half of the room.
  void write_refusal(AuditLine line);

  // Whether another change may come in; asked once for each.
  bool has_room();
  // Makes the file anew, if it was renamed or deleted, without waiting for the next line.
  void look_at_file();

 private:
  struct State;
  AuditLog(Options options, std::shared_ptr<State> state);
  void add(std::string line, size_t bytes_max);

  const Options options_;
  const std::shared_ptr<State> state_;  // shared with the thread, which a dead disk may outlive
};

}  // namespace lattice::telemetry
