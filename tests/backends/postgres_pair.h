// A primary and a hot standby that streams from it.
// Thread: the test's.
#pragma once

#include <string>

#include "backends/postgres_fixture.h"
#include "backends/postgres_intruder.h"

namespace lattice::backends {

class PostgresPair {
 public:
  // `synchronous`: commits wait for the standby.
  explicit PostgresPair(bool synchronous) {
    wait_for(primary_, "SELECT state FROM pg_stat_replication", "streaming");
    if (!synchronous) return;
    primary_.reload("synchronous_standby_names = '*'");
    wait_for(primary_, "SELECT sync_state FROM pg_stat_replication", "sync");
  }
  ~PostgresPair() { resume_receiver(); }
  PostgresPair(const PostgresPair&) = delete;
  PostgresPair& operator=(const PostgresPair&) = delete;

  PostgresServer& primary() { return primary_; }
  PostgresServer& standby() { return standby_; }
  // Both, the primary first.
  std::string url(const std::string& database) const {
    return "postgresql://lattice@127.0.0.1:" + std::to_string(primary_.port()) +
           ",127.0.0.1:" + std::to_string(standby_.port()) + "/" + database;
  }

  void wait_until_replayed() {
    std::string end = primary_.sql("postgres", "SELECT pg_current_wal_lsn()");
    end.pop_back();  // the line's
    wait_for(standby_, "SELECT pg_last_wal_replay_lsn() >= '" + end + "'", "t");
  }
  // The standby receives nothing any more, and does not know it.
  void pause_receiver() {
    receiver_ = std::atoi(standby_.sql("postgres", "SELECT pid FROM pg_stat_wal_receiver").c_str());
    REQUIRE(receiver_ > 0);
    kill(receiver_, SIGSTOP);
  }
  void resume_receiver() {
    if (receiver_ > 0) kill(receiver_, SIGCONT);
    receiver_ = 0;
  }
  // Nor will it ever, in spite of what the primary still sends.
  void cut_replication() {
    standby_.reload("");
    wait_for(standby_, "SELECT count(*) FROM pg_stat_wal_receiver", "0");
  }
  void promote() {
    standby_.sql("postgres", "SELECT pg_promote(false)");
    resume_receiver();  // one that stands still would hold the promotion up
    wait_for(standby_, "SELECT pg_is_in_recovery()", "f");
  }

  static void wait_for(const PostgresServer& server, const std::string& sql,
                       const std::string& wanted) {
    Intruder intruder(server.url("postgres"));
    REQUIRE_MESSAGE(intruder.wait_for(sql, wanted), sql);
  }

 private:
  PostgresServer primary_;
  PostgresServer standby_{PostgresServer::StandbyOf{primary_}};
  pid_t receiver_ = 0;
};

}  // namespace lattice::backends
