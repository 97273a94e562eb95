#include "backends/postgres/pg_durability.h"

#include <cctype>
#include <cstdlib>

namespace lattice::backends {

const char* const settings_sql =
    "current_setting('fsync'), current_setting('full_page_writes'),"
    " current_setting('synchronous_commit'), current_setting('synchronous_standby_names')";

const char* const server_sql =
    "pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',"
    " (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8,"
    " current_setting('server_version_num')::int4, pg_backend_pid(),"
    " CASE WHEN NOT pg_is_in_recovery() THEN"
    "  ('x' || lpad(left(pg_walfile_name(pg_current_wal_lsn()), 8), 16, '0'))::bit(64)::int8 END";

const char* const system_sql = "(SELECT system_identifier FROM pg_control_system())";

int synchronous_standbys(const std::string& names) {
  size_t at = 0;
  const auto skip_spaces = [&] {
    while (at < names.size() && std::isspace(static_cast<unsigned char>(names[at]))) ++at;
  };
  const auto skip_word = [&](const char* word) {
    size_t i = 0;
    while (word[i] != '\0' && at + i < names.size() &&
           std::toupper(static_cast<unsigned char>(names[at + i])) == word[i]) {
      ++i;
    }
    const bool whole = word[i] == '\0' && at + i < names.size() &&
                       (std::isspace(static_cast<unsigned char>(names[at + i])) != 0);
    if (whole) at += i;
    return whole;
  };
  skip_spaces();
  if (at == names.size()) return 0;
  if (!skip_word("FIRST")) skip_word("ANY");
  skip_spaces();
  size_t digits = at;
  while (digits < names.size() && std::isdigit(static_cast<unsigned char>(names[digits]))) ++digits;
  const std::string number = names.substr(at, digits - at);
  at = digits;
  skip_spaces();
  if (!number.empty() && at < names.size() && names[at] == '(') return std::atoi(number.c_str());
  return 1;  // a plain list: the first of it
}

Status check_settings(const PgResult& row, int first_column, const PgDurability& durability) {
  const auto setting = [&](int i) { return std::string(row.bytes(0, first_column + i)); };
  if (row.rows() != 1) return Status(Error::unhealthy, "the server did not tell its settings");
  for (const int i : {0, 1}) {
    if (setting(i) != "on") {
      return Status(Error::unhealthy,
                    std::string("PostgreSQL runs with ") + (i == 0 ? "fsync" : "full_page_writes") +
                        " = " + setting(i) + " and would lose acknowledged writes; set it to on");
    }
  }
  if (setting(2) != synchronous_commit(durability)) {
    return Status(Error::unhealthy, "synchronous_commit is " + setting(2) +
                                        " in Lattice's session, "
                                        "although it was set to " +
                                        synchronous_commit(durability) +
                                        "; a pooler between them must be in session mode");
  }
  if (durability.mode == PgDurabilityMode::quorum &&
      synchronous_standbys(setting(3)) + 1 < durability.quorum_size) {
    return Status(Error::unhealthy,
                  "[durability] quorum_size = " + std::to_string(durability.quorum_size) +
                      " needs synchronous_standby_names = 'ANY " +
                      std::to_string(durability.quorum_size - 1) +
                      " (...)' on the server; it is '" + setting(3) + "'");
  }
  return {};
}

const char* synchronous_commit(const PgDurability& durability) {
  return durability.mode == PgDurabilityMode::async ? "off" : "on";
}

}  // namespace lattice::backends
