#include "backends/postgres/pg_connection.h"

#include <algorithm>
#include <cstring>

#include "backends/common/random.h"
#include "backends/postgres/pg_errors.h"

namespace lattice::backends {
namespace {

constexpr Duration retry_min = std::chrono::milliseconds(50);
constexpr Duration retry_max = std::chrono::seconds(2);
// The protocol's messages end at 1 GiB, and so do the server's values.
constexpr size_t command_bytes_max = size_t{768} << 20;

Status trimmed(Error error, const char* message) {
  std::string text = message != nullptr ? message : "";
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return Status(error, std::move(text));
}

}  // namespace

PgConnection::PgConnection(loop::Loop& loop, PgResolver& resolver, const PgConninfo& conninfo,
                           Options options)
    : loop_(loop), resolver_(resolver), conninfo_(conninfo), options_(std::move(options)) {}

PgConnection::~PgConnection() = default;

void PgConnection::execute(PgCommand command) {
  queue_.push_back(std::move(command));
  if (state_ == State::idle) {
    connect();
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

// ---- Connecting ----

void PgConnection::connect() {
  state_ = State::resolving;
  timer_.reset();
  const auto& hosts = conninfo_.hosts();
  if (std::none_of(hosts.begin(), hosts.end(), PgConninfo::needs_resolution)) {
    start_connecting(hosts);
    return;
  }
  resolver_.resolve(
      hosts, [this, alive = std::weak_ptr<bool>(alive_)](Result<std::vector<PgHost>> resolved) {
        if (!alive.expired() && state_ == State::resolving) start_connecting(std::move(resolved));
      });
}

void PgConnection::start_connecting(Result<std::vector<PgHost>> hosts) {
  if (!hosts.ok()) {
    fail(hosts.status());
    return;
  }
  const auto keywords = conninfo_.keywords(*hosts, options_.application_name);
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : keywords) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectStartParams(names.data(), values.data(), 0));
  if (connection_ == nullptr || PQstatus(connection_.get()) == CONNECTION_BAD) {
    fail(trimmed(Error::backend_unavailable, PQerrorMessage(connection_.get())));
    return;
  }
  PQsetNoticeReceiver(connection_.get(), &PgConnection::on_notice, this);
  state_ = State::connecting;
  rearm_patience(options_.connect_patience, "connecting");
  watch_socket();
  // As the manual asks: behave as if PQconnectPoll had asked to write.
  watch_->want(false, true);
}

void PgConnection::watch_socket() {
  watch_ = loop_.watch(PQsocket(connection_.get()), [this](bool, bool) { on_socket(); });
}

void PgConnection::poll_connecting() {
  const PostgresPollingStatusType next = PQconnectPoll(connection_.get());
  if (next == PGRES_POLLING_FAILED) {
    fail(trimmed(Error::backend_unavailable, PQerrorMessage(connection_.get())));
    return;
  }
  // The next address of a list means another socket.
  watch_socket();
  if (next == PGRES_POLLING_OK) {
    prepare();
  } else {
    watch_->want(next == PGRES_POLLING_READING, next == PGRES_POLLING_WRITING);
  }
}

void PgConnection::prepare() {
  state_ = State::preparing;
  if (PQsetnonblocking(connection_.get(), 1) != 0) {
    fail(trimmed(Error::backend_unavailable, PQerrorMessage(connection_.get())));
    return;
  }
  PgCommand command;
  command.form = PgCommand::Form::script;
  command.text = options_.setup;
  command.done = [this](PgReply reply) {
    if (reply.done()) {
      check_server();
    } else {
      fail(std::move(reply.status));
    }
  };
  (void)send(std::move(command));
}

void PgConnection::check_server() {
  PgCommand command;
  command.text = std::string("SELECT ") + settings_sql + ", " + server_sql +
                 ", (SELECT system_identifier FROM pg_control_system()),"
                 " (SELECT timeline_id FROM pg_control_checkpoint())";
  if (!options_.cluster_id.empty()) {
    command.text += ", (SELECT value FROM lattice.meta WHERE key = 'cluster_id')";
  }
  command.done = [this](PgReply reply) {
    if (!reply.done()) {
      fail(std::move(reply.status));
      return;
    }
    if (Status status = check_settings(reply.result, 0, options_.durability); !status.ok()) {
      fail(std::move(status));
      return;
    }
    if (reply.result.boolean(0, 4)) {
      fail(Status(Error::unhealthy,
                  conninfo_.describe() + " is a standby or read-only; name the primary"));
      return;
    }
    if (!options_.cluster_id.empty() && reply.result.bytes(0, 10) != options_.cluster_id) {
      fail(Status(Error::backend_foreign_data,
                  conninfo_.describe() + " now holds another cluster's data; restore the right "
                                         "database, or restart Lattice to serve this one"));
      return;
    }
    server_.started_microseconds = reply.result.integer(0, 5);
    server_.version = reply.result.integer(0, 6);
    server_.backend_pid = static_cast<int>(reply.result.integer(0, 7));
    server_.system_identifier = reply.result.integer(0, 8);
    server_.timeline = reply.result.integer(0, 9);
    become_ready();
  };
  (void)send(std::move(command));
}

void PgConnection::become_ready() {
  state_ = State::ready;
  ++generation_;
  failures_ = 0;
  last_error_ = Status();
  pump();
}

// ---- Losing it ----

void PgConnection::fail(Status why) {
  const bool internal = state_ == State::preparing;
  last_error_ = why;
  watch_.reset();
  timer_.reset();
  // Closes the socket. A statement that the server is executing goes on there.
  connection_.reset();
  retry_later();

  std::unique_ptr<PgCommand> lost = std::move(in_flight_);
  progress_ = Progress();
  const std::weak_ptr<bool> alive = alive_;
  if (lost != nullptr && !internal) {
    PgReply reply;
    reply.status = why;
    lost->done(std::move(reply));
    if (alive.expired()) return;
  }
  // What was not sent yet waits for the first attempt to connect again.
  if (unreachable()) fail_queued();
}

void PgConnection::retry_later() {
  state_ = State::waiting;
  const Duration limit = std::min(retry_max, retry_min * (1 << std::min(failures_, 10)));
  // The first attempt after a loss is immediate; the rest spread out over half the delay and the
  // whole.
  const double part = 0.5 + 0.5 * random_fraction();
  const auto delay =
      failures_ == 0 ? Duration(0)
                     : Duration(static_cast<int64_t>(part * static_cast<double>(limit.count())));
  ++failures_;
  timer_ = loop_.after(delay, [this] { connect(); });
}

void PgConnection::fail_queued() {
  std::deque<PgCommand> queued;
  queued.swap(queue_);
  const std::weak_ptr<bool> alive = alive_;
  for (PgCommand& command : queued) {
    PgReply reply;
    reply.outcome = PgReply::Outcome::unsent;
    reply.status =
        Status(last_error_.error(), "no connection to PostgreSQL: " + last_error_.detail());
    command.done(std::move(reply));
    if (alive.expired()) return;
  }
}

void PgConnection::rearm_patience(Duration patience, const char* what) {
  timer_.reset();
  if (patience.count() == 0) return;
  timer_ = loop_.after(patience, [this, what] {
    fail(
        Status(Error::backend_unavailable, std::string("no answer from PostgreSQL while ") + what));
  });
}

// ---- Commands ----

void PgConnection::pump() {
  while (state_ == State::ready && in_flight_ == nullptr && !queue_.empty()) {
    PgCommand next = std::move(queue_.front());
    queue_.pop_front();
    if (!send(std::move(next))) return;
  }
}

bool PgConnection::send(PgCommand command) {
  progress_ = Progress();
  in_flight_ = std::make_unique<PgCommand>(std::move(command));
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
      fail(trimmed(Error::backend_unavailable, PQerrorMessage(raw)));
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
    fail(progress_.error.ok()
             ? trimmed(Error::backend_unavailable, PQerrorMessage(connection_.get()))
             : Status(Error::backend_unavailable, progress_.error.detail()));
    return;
  }
  flush();
  read_results();
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
      fail(progress_.error.ok() ? trimmed(Error::backend_unavailable, PQerrorMessage(connection))
                                : Status(Error::backend_unavailable, progress_.error.detail()));
      return;
    }
    finish_command();
    return;
  }
  if (in_flight_ == nullptr && PQstatus(connection) == CONNECTION_BAD) {
    fail(trimmed(Error::backend_unavailable, PQerrorMessage(connection)));
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
  const std::unique_ptr<PgCommand> command = std::move(in_flight_);
  Progress progress = std::move(progress_);
  progress_ = Progress();
  PgReply reply;
  reply.status = std::move(progress.error);
  reply.sqlstate = std::move(progress.sqlstate);
  if (!progress.doubt.empty()) {
    reply.outcome = PgReply::Outcome::unclear;
    reply.status = Status(Error::backend_unavailable, "PostgreSQL warns: " + progress.doubt);
  } else if (reply.status.ok()) {
    reply.outcome = PgReply::Outcome::done;
    reply.result = std::move(progress.result);
  } else {
    reply.outcome = progress.clean ? PgReply::Outcome::refused : PgReply::Outcome::unclear;
  }
  // The server gets its next command before anyone is told, which may take long.
  pump();
  command->done(std::move(reply));
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
