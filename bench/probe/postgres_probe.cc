#include <libpq-fe.h>

#include <array>
#include <memory>

#include "load/clock.h"
#include "probe.h"

namespace lattice::load {
namespace {

struct Finish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};

bool done(PGresult* raw) {
  const std::unique_ptr<PGresult, Clear> result(raw);
  return PQresultStatus(raw) == PGRES_COMMAND_OK;
}

}  // namespace

std::string probe_postgres(const ProbeRequest& request, Histogram& latency) {
  const std::unique_ptr<PGconn, Finish> connection(PQconnectdb(request.target.c_str()));
  PGconn* pg = connection.get();
  if (PQstatus(pg) != CONNECTION_OK) return PQerrorMessage(pg);
  if (!done(PQexec(pg, "DROP TABLE IF EXISTS commit_probe")) ||
      !done(PQexec(pg, "CREATE TABLE commit_probe(id bigserial PRIMARY KEY, value bytea)")) ||
      !done(PQprepare(pg, "i", "INSERT INTO commit_probe(value) VALUES($1)", 1, nullptr))) {
    return PQerrorMessage(pg);
  }
  const std::string value(request.value_size, 'v');
  const std::array<const char*, 1> values{value.data()};
  const std::array<int, 1> lengths{static_cast<int>(value.size())};
  const std::array<int, 1> formats{1};
  for (uint64_t i = 0; i < request.commits; ++i) {
    const uint64_t start = now_ns();
    if (!done(PQexecPrepared(pg, "i", 1, values.data(), lengths.data(), formats.data(), 1))) {
      return PQerrorMessage(pg);
    }
    latency.record(now_ns() - start);
  }
  if (!done(PQexec(pg, "DROP TABLE commit_probe"))) return PQerrorMessage(pg);
  return {};
}

}  // namespace lattice::load
