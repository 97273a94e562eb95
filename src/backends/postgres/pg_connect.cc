// How a PgConnection gets its connection, checks who is there, and gets the next one when it is
// lost. pg_connection.cc has the commands.

#include <algorithm>

#include "backends/common/random.h"
#include "backends/postgres/pg_connection.h"
#include "backends/postgres/pg_errors.h"

namespace lattice::backends {
namespace {

constexpr Duration retry_min = std::chrono::milliseconds(50);
constexpr Duration retry_max = std::chrono::seconds(2);

}  // namespace

void PgConnection::connect() {
  state_ = State::resolving;
  timer_.reset();
  const auto& hosts = conninfo_.hosts();
  if (std::none_of(hosts.begin(), hosts.end(), needs_resolution)) {
    start_connecting(hosts);
    return;
  }
  resolver_.resolve(
      hosts, [this, alive = std::weak_ptr<bool>(alive_)](Result<std::vector<Host>> resolved) {
        if (!alive.expired() && state_ == State::resolving) start_connecting(std::move(resolved));
      });
}

void PgConnection::start_connecting(Result<std::vector<Host>> hosts) {
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
    fail(connection_error(connection_.get()));
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
    fail(connection_error(connection_.get()));
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
    fail(connection_error(connection_.get()));
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

}  // namespace lattice::backends
