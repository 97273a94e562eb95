// One connection to PostgreSQL, driven by the loop: connects, prepares itself, runs commands one at
// a time in the order given, each with a Sync of its own (log-protocol P3), and connects again when
// it was lost, with a jittered back-off.
//
// Of several hosts it takes the first that accepts writes, beginning with the one that it had last
// (or, when that fell silent, the one behind it), each with a patience of its own. A server that no
// longer takes writes, or that is on an older timeline than one that this process has seen, is left
// and not gone back to (H3).
//
// How a command can end decides whether an append was committed, so it is told exactly (P4): a
// transaction is over only when ReadyForQuery has arrived, because PostgreSQL commits after it has
// reported the command's success. Nothing is ever cancelled (reliability.md 0.4).
//
// Thread: the loop's. Callbacks never run inside the call that they belong to; after the connection
//   is destroyed none runs.
#pragma once

#include <libpq-fe.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backends/common/resolver.h"
#include "backends/postgres/pg_conninfo.h"
#include "backends/postgres/pg_durability.h"
#include "backends/postgres/pg_timelines.h"
#include "backends/postgres/pg_values.h"
#include "base/callback.h"
#include "base/dependency.h"
#include "loop/loop.h"

namespace lattice::backends {

struct PgReply {
  enum class Outcome : uint8_t {
    done,     // success, then ReadyForQuery
    refused,  // a clean ERROR, then ReadyForQuery: this command has changed nothing
    unsent,   // never left: there is no connection
    unclear,  // anything else: it may take effect, now or later
  };
  Outcome outcome = Outcome::unclear;
  Status status;         // why, unless done
  std::string sqlstate;  // of the error, if there was one
  PgResult result;       // of the last statement, when done and not read row by row

  bool done() const { return outcome == Outcome::done; }
};

struct PgCommand {
  enum class Form : uint8_t {
    script,     // statements without parameters; their results are dropped but the last
    statement,  // one statement
    prepared,   // the name of one that the connection's setup has prepared
  };
  Form form = Form::statement;
  std::string text;
  PgParams params;
  // When set, rows arrive here one at a time: the result may be larger than memory.
  absl::AnyInvocable<void(const PgResult& row)> on_row;
  // Without a byte from the server for so long the connection is given up. Zero: never.
  Duration patience = std::chrono::seconds(10);
  // Its success is a promise that others may rely on. In quorum mode, one that took long is
  // believed only if the server's settings still are what they were when it has ended: a reload
  // that relaxes them lets go of all commits that wait for a standby, as if they were done (L6).
  bool promises = false;
  absl::AnyInvocable<void(PgReply)> done;
};

class PgConnection {
 public:
  struct Options {
    std::string application_name;
    std::string setup;  // a script that each new connection runs first
    PgDurability durability;
    std::string cluster_id;                  // as lattice.meta must have it; empty: not checked
    std::shared_ptr<PgTimelines> timelines;  // never null
    SharedDependency database;               // to which it reports; never null
    // Whether the database certainly works all the same when this connection fails.
    std::function<bool()> others_work;
    std::function<void(const std::string&)> warn;  // for a log; may be empty
    // Each time that it has become ready, behind what waited for that.
    absl::AnyInvocable<void()> on_ready;
    absl::AnyInvocable<void(std::string_view channel, std::string_view payload)> on_notification;
  };

  PgConnection(loop::Loop& loop, Resolver& resolver, const PgConninfo& conninfo, Options options);
  ~PgConnection();
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  // Connects if it was not yet; while that fails, every command ends as `unsent`.
  void execute(PgCommand command);

  // Connects without a command to send.
  void start() {
    if (state_ == State::idle) try_again();
  }
  bool ready() const { return state_ == State::ready; }
  bool busy() const { return in_flight_ != nullptr || !queue_.empty(); }
  // How often it has become ready: tells one connection from the next.
  uint64_t generation() const { return generation_; }
  // Which server this is; meaningful while ready.
  const PgServer& server() const { return server_; }
  // Why the last attempt failed; ok while ready.
  const Status& last_error() const { return last_error_; }
  // Ends the connection as if it had been lost.
  void reset(Status why);
  // Ends it, soon, if its server was left behind by one that another connection has found.
  void leave_if_stale();
  // The database is there again: whoever waits to try does so soon.
  void try_soon();

 private:
  enum class State : uint8_t { idle, resolving, connecting, preparing, ready, waiting };
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };

  // An attempt to connect has failed since the connection was last there.
  bool unreachable() const { return state_ == State::waiting && failures_ > 1; }
  void connect();
  void start_round(Result<std::vector<Host>> hosts);
  void try_host();
  bool try_next_host(Status* why);
  Duration patience_to_enter() const;
  void poll_connecting();
  void watch_socket();
  void on_socket();
  void prepare();
  void check_server();
  Status judge_server(const PgResult& row);
  void become_ready();
  bool stale() const { return newest_ != nullptr && newest_->load() > server_.timeline; }
  Status left_behind(int64_t timeline, int64_t newest) const;
  Status staleness() const { return left_behind(server_.timeline, newest_->load()); }
  void leave();
  void fail(Status why) { fail(std::move(why), began()); }
  // `since`: when that which has failed began.
  void fail(Status why, Instant since);
  Instant began() const;
  void retry_later();
  void try_again();
  void fail_queued();
  void pump();
  bool send(PgCommand command);
  bool dispatch(const PgCommand& command);
  void flush();
  void read_results();
  void read_notifications();
  void take_result(PgResult result);
  void finish_command();
  void check_promise(PgReply reply, absl::AnyInvocable<void(PgReply)> done);
  void rearm_patience(Duration patience, const char* what);
  static void on_notice(void* self, const PGresult* notice);

  loop::Loop& loop_;
  Resolver& resolver_;
  const PgConninfo& conninfo_;
  Options options_;
  State state_ = State::idle;
  std::unique_ptr<PGconn, Finish> connection_;
  std::unique_ptr<loop::FdWatch> watch_;
  std::unique_ptr<loop::TimerHandle> timer_;  // patience, or the back-off
  std::deque<PgCommand> queue_;
  std::unique_ptr<PgCommand> in_flight_;
  Instant sent_;      // the command in flight
  Instant tried_at_;  // the round of attempts that is going on, or was the last
  // What is known of the command in flight.
  struct Progress {
    PgResult result;
    Status error;
    std::string sqlstate;
    bool clean = true;  // every error so far was an ERROR with a SQLSTATE that settles it
    std::string doubt;  // a warning that a wait for a standby was cut short
  };
  Progress progress_;
  PgServer server_;
  PgTimelines::Newest newest_;  // of the server's cluster; null before the first one
  Status leave_;                // why this server is to be left, once it is known
  // The round of attempts that is going on: every host once.
  std::vector<Host> hosts_;
  size_t host_ = 0;     // the one that is, or was, connected
  size_t tried_ = 0;    // how many have failed in this round
  std::string failed_;  // what they said
  Error failure_ = Error::backend_unavailable;
  bool reached_ = false;
  bool may_ask_system_ = true;
  Status last_error_;
  std::string warned_;
  int failures_ = 0;
  uint64_t generation_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lattice::backends
