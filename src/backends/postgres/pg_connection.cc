#include "backends/postgres/pg_connection.h"

#include <cstring>

#include "backends/postgres/pg_errors.h"

namespace lattice::backends {
namespace {

// The protocol's messages end at 1 GiB, and so do the server's values.
constexpr size_t command_bytes_max = size_t{768} << 20;
// A commit that took longer may have waited for a standby when the settings were changed.
constexpr Duration promise_doubtful_after = std::chrono::milliseconds(50);
// read_only_sql_transaction: the server was demoted under this connection.
constexpr const char* read_only_sqlstate = "25006";

}  // namespace

PgConnection::PgConnection(loop::Loop& loop, Resolver& resolver, const PgConninfo& conninfo,
                           Options options)
    : loop_(loop), resolver_(resolver), conninfo_(conninfo), options_(std::move(options)) {}

PgConnection::~PgConnection() = default;

void PgConnection::execute(PgCommand command) {
  queue_.push_back(std::move(command));
  if (state_ == State::idle) {
    try_again();
  } else if (state_ == State::ready) {
    pump();
  } else if (unreachable()) {
    loop_.defer([this, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired() && unreachable()) fail_queued();
    });
  }
}

void PgConnection::reset(Status why) {
  if (state_ == State::idle || state_ == State::waiting) return;
  fail(std::move(why));
}

void PgConnection::leave_if_stale() {
  if (state_ == State::ready && stale()) leave();
}

void PgConnection::leave() {
  if (leave_.ok()) leave_ = staleness();
  // Off this stack: the command in flight is told of it.
  loop_.defer([this, alive = std::weak_ptr<bool>(alive_), generation = generation_] {
    if (!alive.expired() && state_ == State::ready && generation == generation_) fail(leave_);
  });
}

void PgConnection::pump() {
  if (state_ == State::ready && (!leave_.ok() || stale())) {
    leave();
    return;
  }
  while (state_ == State::ready && in_flight_ == nullptr && !queue_.empty()) {
    PgCommand next = std::move(queue_.front());
    queue_.pop_front();
    if (!send(std::move(next))) return;
  }
}

bool PgConnection::send(PgCommand command) {
  progress_ = Progress();
  in_flight_ = std::make_unique<PgCommand>(std::move(command));
  sent_ = loop_.now();
  if (in_flight_->params.bytes() > command_bytes_max) {
    // Off this stack: a callback does not run inside its call.
    loop_.defer([this, alive = std::weak_ptr<bool>(alive_)] {
      if (alive.expired() || in_flight_ == nullptr) return;
      progress_.error = Status(Error::request_too_large, "beyond what PostgreSQL takes at once");
      finish_command();
    });
    return true;
  }
  if (!dispatch(*in_flight_) ||
      (in_flight_->on_row && PQsetSingleRowMode(connection_.get()) != 1)) {
    loop_.defer([this, alive = std::weak_ptr<bool>(alive_), raw = connection_.get()] {
      if (alive.expired() || connection_.get() != raw) return;
      fail(connection_error(raw));
    });
    return false;
  }
  in_flight_->params = PgParams();  // libpq has copied them
  rearm_patience(in_flight_->patience, "waiting for a statement");
  flush();
  return true;
}

bool PgConnection::dispatch(const PgCommand& command) {
  if (command.form == PgCommand::Form::script) {
    return PQsendQuery(connection_.get(), command.text.c_str()) == 1;
  }
  const PgParams::Arrays params = command.params.arrays();
  if (command.form == PgCommand::Form::prepared) {
    return PQsendQueryPrepared(connection_.get(), command.text.c_str(), command.params.count(),
                               params.values.data(), params.lengths.data(), params.formats.data(),
                               1) == 1;
  }
  return PQsendQueryParams(connection_.get(), command.text.c_str(), command.params.count(), nullptr,
                           params.values.data(), params.lengths.data(), params.formats.data(),
                           1) == 1;
}

void PgConnection::flush() {
  const int left = PQflush(connection_.get());
  // An error shows itself when the socket is read, with the server's last words if it sent some.
  watch_->want(true, left == 1);
}

void PgConnection::on_socket() {
  if (state_ == State::connecting) {
    poll_connecting();
    return;
  }
  if (PQconsumeInput(connection_.get()) == 0) {
    // The server's last words, if it had any, were read before. They held no ReadyForQuery, or the
    // command would have ended.
    fail(progress_.error.ok() ? connection_error(connection_.get())
                              : Status(Error::backend_unavailable, progress_.error.detail()));
    return;
  }
  flush();
  const std::weak_ptr<bool> alive = alive_;
  const uint64_t generation = generation_;
  read_results();
  if (!alive.expired() && state_ == State::ready && generation == generation_) read_notifications();
}

void PgConnection::read_notifications() {
  struct Free {
    void operator()(PGnotify* notify) const { PQfreemem(notify); }
  };
  const std::weak_ptr<bool> alive = alive_;
  PGconn* const connection = connection_.get();
  while (const std::unique_ptr<PGnotify, Free> notify{PQnotifies(connection)}) {
    if (options_.on_notification) options_.on_notification(notify->relname, notify->extra);
    if (alive.expired() || connection_.get() != connection) return;
  }
}

void PgConnection::read_results() {
  const std::weak_ptr<bool> alive = alive_;
  PGconn* const connection = connection_.get();
  bool progressed = false;
  while (in_flight_ != nullptr && PQisBusy(connection) == 0) {
    PgResult result(PQgetResult(connection));
    progressed = true;
    if (result) {
      take_result(std::move(result));
      if (alive.expired() || connection_.get() != connection) return;
      continue;
    }
    if (PQstatus(connection) == CONNECTION_BAD || PQtransactionStatus(connection) != PQTRANS_IDLE) {
      fail(progress_.error.ok() ? connection_error(connection)
                                : Status(Error::backend_unavailable, progress_.error.detail()));
      return;
    }
    finish_command();
    return;
  }
  if (in_flight_ == nullptr && PQstatus(connection) == CONNECTION_BAD) {
    fail(connection_error(connection));
  } else if (progressed && in_flight_ != nullptr) {
    rearm_patience(in_flight_->patience, "reading a result");
  }
}

void PgConnection::take_result(PgResult result) {
  switch (PQresultStatus(result.get())) {
    case PGRES_SINGLE_TUPLE:
      in_flight_->on_row(result);
      return;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
      progress_.result = std::move(result);
      return;
    default: {
      const PgError error = read_error(result.get());
      progress_.error = error.status;
      progress_.sqlstate = error.sqlstate;
      progress_.clean = progress_.clean && error.clean;
      return;
    }
  }
}

void PgConnection::finish_command() {
  timer_.reset();
  if (state_ == State::ready) options_.database->answered(loop_.now() - sent_);
  const std::unique_ptr<PgCommand> command = std::move(in_flight_);
  Progress progress = std::move(progress_);
  progress_ = Progress();
  PgReply reply;
  reply.status = std::move(progress.error);
  reply.sqlstate = std::move(progress.sqlstate);
  if (!progress.doubt.empty()) {
    reply.outcome = PgReply::Outcome::unclear;
    reply.status = Status(Error::backend_unavailable, "PostgreSQL warns: " + progress.doubt);
  } else if (reply.status.ok() && state_ == State::ready && stale()) {
    // It has answered, but what it says counts no longer.
    reply.outcome = PgReply::Outcome::unclear;
    reply.status = staleness();
  } else if (reply.status.ok()) {
    reply.outcome = PgReply::Outcome::done;
    reply.result = std::move(progress.result);
  } else {
    reply.outcome = progress.clean ? PgReply::Outcome::refused : PgReply::Outcome::unclear;
  }
  if (reply.sqlstate == read_only_sqlstate && state_ == State::ready) leave_ = reply.status;
  if (command->promises && reply.done() && options_.durability.mode == PgDurabilityMode::quorum &&
      loop_.now() - sent_ >= promise_doubtful_after) {
    check_promise(std::move(reply), std::move(command->done));
    return;
  }
  // The server gets its next command before anyone is told, which may take long.
  pump();
  command->done(std::move(reply));
}

void PgConnection::check_promise(PgReply reply, absl::AnyInvocable<void(PgReply)> done) {
  PgCommand check;
  check.text = std::string("SELECT ") + settings_sql;
  check.done = [this, generation = generation_, reply = std::move(reply),
                done = std::move(done)](PgReply settings) mutable {
    Status status = std::move(settings.status);
    if (settings.done()) status = check_settings(settings.result, 0, options_.durability);
    if (status.ok() && generation != generation_) {
      status = Status(Error::backend_unavailable, "the connection was lost behind the commit");
    }
    if (!status.ok()) {
      if (settings.done() && state_ == State::ready) {
        leave_ = status;
        leave();
      }
      reply.outcome = PgReply::Outcome::unclear;
      reply.status = std::move(status);
    }
    done(std::move(reply));
  };
  queue_.push_front(std::move(check));
  pump();
}

void PgConnection::on_notice(void* self, const PGresult* notice) {
  // "canceling wait for synchronous replication" (01000), or its form while the server stops
  // (57P01).
  const char* sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
  if (sqlstate == nullptr) return;
  if (std::strcmp(sqlstate, "01000") == 0 || std::strncmp(sqlstate, "57", 2) == 0) {
    const char* text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    static_cast<PgConnection*>(self)->progress_.doubt = text != nullptr ? text : sqlstate;
  }
}

}  // namespace lattice::backends
