// Asks for the heads of logs: those that are wanted in one turn of the loop in one statement, so
// that a process that follows a thousand logs polls as often as one that follows one.
//
// Thread: the loop's. Ownership: the connection outlives it.
#pragma once

#include <memory>
#include <vector>

#include "backends/postgres/pg_connection.h"
#include "replica/log.h"

namespace lattice::backends {

class PgHeads {
 public:
  // `connection`: the one that the logs' appends go over (log-protocol P6).
  PgHeads(loop::Loop& loop, PgConnection& connection, Duration patience)
      : loop_(loop), connection_(connection), patience_(patience) {}

  // Answers as Log::head() does; not at all once `alive` has expired.
  void ask(int32_t log_no, std::weak_ptr<bool> alive, Callback<replica::LogHead> done);

 private:
  struct Question {
    int32_t log_no;
    std::weak_ptr<bool> alive;
    Callback<replica::LogHead> done;
  };
  void send();
  static void answer(std::vector<Question>& questions, PgReply reply);

  loop::Loop& loop_;
  PgConnection& connection_;
  const Duration patience_;
  std::vector<Question> questions_;  // of this turn
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lattice::backends
