#include "backends/postgres/pg_errors.h"

#include <string_view>

namespace lattice::backends {
namespace {

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text != nullptr ? text : "";
}

Error error_of(std::string_view sqlstate) {
  if (sqlstate == "53100") return Error::backend_full;  // disk_full
  if (sqlstate == "XX001" || sqlstate == "XX002") return Error::backend_corrupt;
  if (sqlstate == "54000" || sqlstate.substr(0, 2) == "54") return Error::request_too_large;
  if (sqlstate == "42P01" || sqlstate == "3F000") return Error::backend_foreign_data;
  return Error::backend_unavailable;
}

const char* advice(std::string_view sqlstate) {
  if (sqlstate == "53100") return "; free space on the database server, or compact";
  if (sqlstate == "53300") return "; raise max_connections or lower [backend] pool_size";
  if (sqlstate == "42501") return "; grant the role what docs/log-format.md lists";
  if (sqlstate == "42P01" || sqlstate == "3F000") {
    return "; the tables are gone: restore them, or restart Lattice to create them";
  }
  if (sqlstate.substr(0, 2) == "28") return "; check user, password and pg_hba.conf";
  return "";
}

}  // namespace

PgError read_error(const PGresult* result) {
  PgError error;
  error.sqlstate = field(result, PG_DIAG_SQLSTATE);
  std::string text = field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (text.empty()) text = PQresultErrorMessage(result);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (!error.sqlstate.empty()) text += " (SQLSTATE " + error.sqlstate + ")";
  error.status = Status(error_of(error.sqlstate), text + advice(error.sqlstate));
  // FATAL and PANIC end the session in unknown state; 40003 says so itself. libpq's own errors
  // carry no severity.
  error.clean = field(result, PG_DIAG_SEVERITY_NONLOCALIZED) == "ERROR" &&
                !error.sqlstate.empty() && error.sqlstate != "40003";
  return error;
}

Status connection_error(const PGconn* connection) {
  std::string text = PQerrorMessage(connection);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return Status(Error::backend_unavailable, std::move(text));
}

}  // namespace lattice::backends
