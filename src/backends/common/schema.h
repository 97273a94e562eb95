// What both databases agree on about the stored format (docs/log-format.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace lattice::backends {

// 1: the tables. 2: the views for people. 3: what replicas tell each other (PostgreSQL only; SQLite
// has one process). 4: tenants' states and limits. 5: the views of users and roles. 6: the view of
// API tokens. 7: what one session announces of several logs (PostgreSQL only). 8: in `logs` a
// move's other end. A step is never edited once released; a change is a new one.
inline constexpr int schema_version = 8;

// meta.value of key 'format': tells our tables from somebody else's of the same name.
inline constexpr std::string_view schema_format = "lattice log";

// How a cluster id is stored: 16 lower-case hexadecimal digits, never all zero.
std::string cluster_id_to_text(uint64_t id);
std::optional<uint64_t> cluster_id_from_text(std::string_view text);

// Judges what `meta` says. `where` names the database for the reader of the message.
// Errors: backend_foreign_data, backend_schema_newer.
struct SchemaState {
  int version = 0;
  uint64_t cluster_id = 0;
};
Result<SchemaState> read_schema_state(std::string_view where, std::optional<std::string> format,
                                      std::optional<std::string> version,
                                      std::optional<std::string> cluster_id);

}  // namespace lattice::backends
