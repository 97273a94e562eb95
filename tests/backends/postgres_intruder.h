// What a person with psql, or a failing process, does to a database beside the store under test.
// Thread: the test's.
#pragma once

#include <doctest/doctest.h>
#include <libpq-fe.h>

#include <chrono>
#include <string>
#include <thread>

namespace lattice::backends {

// A second connection, for what a person or a failing process would do to the first.
class Intruder {
 public:
  explicit Intruder(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
    REQUIRE_MESSAGE(PQstatus(connection_) == CONNECTION_OK, PQerrorMessage(connection_));
  }
  Intruder(const Intruder&) = delete;
  Intruder& operator=(const Intruder&) = delete;
  ~Intruder() { PQfinish(connection_); }
  std::string run(const std::string& sql) {
    PGresult* result = PQexec(connection_, sql.c_str());
    const std::string value = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    PQclear(result);
    return value;
  }
  // Waits until the query answers `wanted`.
  bool wait_for(const std::string& sql, const std::string& wanted) {
    for (int i = 0; i < 3000; ++i) {
      if (run(sql) == wanted) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

 private:
  PGconn* connection_;
};

}  // namespace lattice::backends
