// What a PostgreSQL server must promise before Lattice writes to it, and which server it is.
// Thread: values.
#pragma once

#include <cstdint>
#include <string>

#include "backends/postgres/pg_values.h"
#include "base/status.h"

namespace lattice::backends {

enum class PgDurabilityMode : uint8_t {
  sync,    // acknowledged when the primary has flushed
  quorum,  // acknowledged when `quorum_size` nodes have, the primary counted
  async,   // acknowledged before the flush
};

struct PgDurability {
  PgDurabilityMode mode = PgDurabilityMode::sync;
  int quorum_size = 1;
};

// A server as a connection found it. Two connections that differ here talk to two servers, or to
// one that was restarted in between (P6).
struct PgServer {
  int64_t system_identifier = 0;  // 0: this role may not call pg_control_system()
  int64_t timeline = 0;
  int64_t started_microseconds = 0;
  int64_t version = 0;  // 150020 is 15.20
  int backend_pid = 0;
  bool pooled = false;  // somebody in between hands its sessions out

  bool same_as(const PgServer& other) const {
    return system_identifier == other.system_identifier && timeline == other.timeline &&
           started_microseconds == other.started_microseconds;
  }
};

// How many standbys must have flushed before a commit is acknowledged.
int synchronous_standbys(const std::string& synchronous_standby_names);

// SELECT list of what check_settings() judges, as text: fsync, full_page_writes,
// synchronous_commit, synchronous_standby_names.
extern const char* const settings_sql;
// The rest of the first look at a server: recovery, read-only, start, version, pid, and its
// timeline. That of the control file may be minutes old after a promotion; the name of the WAL file
// that is written now is not.
extern const char* const server_sql;
// What tells one PostgreSQL cluster from another, for a role that may ask.
extern const char* const system_sql;

// `first_column`: where the four settings start in the first row.
// Errors: unhealthy, naming the setting to change.
Status check_settings(const PgResult& row, int first_column, const PgDurability& durability);

// The value of synchronous_commit that the mode asks for.
const char* synchronous_commit(const PgDurability& durability);

}  // namespace lattice::backends
