// How a PgConnection gets its connection, checks who is there, and gets the next one when it is
// lost. pg_connection.cc has the commands.

#include <algorithm>

#include "backends/common/random.h"
#include "backends/postgres/pg_connection.h"
#include "backends/postgres/pg_errors.h"

namespace lattice::backends {
namespace {

// A leader or a challenger waits for this: a standby that was promoted is to be found at once.
constexpr Duration retry_min = std::chrono::milliseconds(50);
constexpr Duration retry_max = std::chrono::milliseconds(200);
// Within which the connections come back once one of them was let in.
constexpr Duration return_spread = std::chrono::milliseconds(100);
// How long until a host's kernel answers; where there is no other one to try, it may be a name that
// has just moved, and a fresh attempt is quicker than the kernel's third.
constexpr Duration reach_patience = std::chrono::seconds(1);
constexpr Duration reach_patience_alone = std::chrono::seconds(2);
// And then until its PostgreSQL has let us in, and for each answer until we know it.
constexpr Duration enter_patience = std::chrono::seconds(3);
constexpr Duration enter_patience_alone = std::chrono::seconds(10);

}  // namespace

void PgConnection::connect() {
  state_ = State::resolving;
  timer_.reset();
  tried_at_ = loop_.now();
  const auto& hosts = conninfo_.hosts();
  if (std::none_of(hosts.begin(), hosts.end(), needs_resolution)) {
    start_round(hosts);
    return;
  }
  resolver_.resolve(
      hosts, [this, alive = std::weak_ptr<bool>(alive_)](Result<std::vector<Host>> resolved) {
        if (!alive.expired() && state_ == State::resolving) start_round(std::move(resolved));
      });
}

void PgConnection::start_round(Result<std::vector<Host>> hosts) {
  if (!hosts.ok()) {
    fail(hosts.status());
    return;
  }
  // The one that was there last is tried first, wherever it is in the list now.
  const Host last = host_ < hosts_.size() ? hosts_[host_] : Host();
  hosts_ = std::move(*hosts);
  const auto found = std::find(hosts_.begin(), hosts_.end(), last);
  host_ = found != hosts_.end() ? static_cast<size_t>(found - hosts_.begin()) : 0;
  tried_ = 0;
  failed_.clear();
  failure_ = Error::backend_unavailable;
  try_host();
}

void PgConnection::try_host() {
  const auto keywords = conninfo_.keywords(hosts_[host_], options_.application_name);
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : keywords) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  state_ = State::connecting;
  reached_ = false;
  connection_.reset(PQconnectStartParams(names.data(), values.data(), 0));
  if (connection_ == nullptr || PQstatus(connection_.get()) == CONNECTION_BAD) {
    fail(connection_error(connection_.get()));
    return;
  }
  PQsetNoticeReceiver(connection_.get(), &PgConnection::on_notice, this);
  const Duration patience = hosts_.size() > 1 ? reach_patience : reach_patience_alone;
  rearm_patience(conninfo_.connect_timeout().value_or(patience), "connecting");
  watch_socket();
  // As the manual asks: behave as if PQconnectPoll had asked to write.
  watch_->want(false, true);
}

void PgConnection::watch_socket() {
  watch_ = loop_.watch(PQsocket(connection_.get()), [this](bool, bool) { on_socket(); });
}

Duration PgConnection::patience_to_enter() const {
  return conninfo_.connect_timeout().value_or(hosts_.size() > 1 ? enter_patience
                                                                : enter_patience_alone);
}

void PgConnection::poll_connecting() {
  const PostgresPollingStatusType next = PQconnectPoll(connection_.get());
  if (next == PGRES_POLLING_FAILED) {
    fail(connection_error(connection_.get()));
    return;
  }
  if (!reached_ && PQstatus(connection_.get()) != CONNECTION_STARTED) {
    reached_ = true;
    rearm_patience(patience_to_enter(), "logging in");
  }
  // A second attempt without TLS, say, means another socket.
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
  command.patience = patience_to_enter();
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
  command.patience = patience_to_enter();
  command.text = std::string("SELECT ") + settings_sql + ", " + server_sql + ", " +
                 (may_ask_system_ ? system_sql : "0::int8");
  if (!options_.cluster_id.empty()) {
    command.text += ", (SELECT value FROM lattice.meta WHERE key = 'cluster_id')";
  }
  command.done = [this](PgReply reply) {
    if (!reply.done() && reply.sqlstate == "42501" && may_ask_system_) {
      may_ask_system_ = false;
      check_server();
    } else if (!reply.done()) {
      fail(std::move(reply.status));
    } else if (Status status = judge_server(reply.result); !status.ok()) {
      fail(std::move(status));
    } else {
      become_ready();
    }
  };
  (void)send(std::move(command));
}

Status PgConnection::judge_server(const PgResult& row) {
  const std::string name = PgConninfo::describe(hosts_[host_]);
  if (row.boolean(0, 4)) {
    // Among several hosts that is nothing unusual.
    return Status(hosts_.size() > 1 ? Error::backend_unavailable : Error::unhealthy,
                  name + " is a standby or read-only; name the primary");
  }
  if (!options_.cluster_id.empty() && row.bytes(0, 10) != options_.cluster_id) {
    return Status(Error::backend_foreign_data,
                  name +
                      " now holds another cluster's data; restore the right database, or restart"
                      " Lattice to serve this one");
  }
  PgServer found;
  found.started_microseconds = row.integer(0, 5);
  found.version = row.integer(0, 6);
  found.backend_pid = static_cast<int>(row.integer(0, 7));
  // A pooler has cancellation keys of its own making, so the process that it names is none.
  found.pooled = PQbackendPID(connection_.get()) != found.backend_pid;
  found.timeline = row.integer(0, 8);
  found.system_identifier = row.integer(0, 9);
  // A newer timeline makes others stale even where this server's settings are refused.
  auto newest = options_.timelines->see(
      found.system_identifier != 0 ? std::to_string(found.system_identifier) : conninfo_.describe(),
      found.timeline);
  if (newest->load() > found.timeline) return left_behind(found.timeline, newest->load());
  if (Status status = check_settings(row, 0, options_.durability); !status.ok()) return status;
  server_ = found;
  newest_ = std::move(newest);
  return {};
}

Status PgConnection::left_behind(int64_t timeline, int64_t newest) const {
  return Status(Error::unhealthy,
                PgConninfo::describe(hosts_[host_]) + " is on timeline " +
                    std::to_string(timeline) + ", and a server on timeline " +
                    std::to_string(newest) +
                    " was promoted since: this one was left behind and is not used any more; stop"
                    " it, or make it a standby of the new one");
}

void PgConnection::become_ready() {
  state_ = State::ready;
  ++generation_;
  failures_ = 0;
  last_error_ = Status();
  warned_.clear();
  options_.database->succeeded(loop_.now());
  const std::weak_ptr<bool> alive = alive_;
  pump();
  if (!alive.expired() && options_.on_ready) options_.on_ready();
}

// ---- Losing it ----

Instant PgConnection::began() const { return state_ == State::ready ? loop_.now() : tried_at_; }

void PgConnection::fail(Status why, Instant since) {
  const bool internal = state_ == State::preparing;
  const bool attempt = internal || state_ == State::connecting;
  watch_.reset();
  timer_.reset();
  // Closes the socket. A statement that the server is executing goes on there.
  connection_.reset();
  leave_ = Status();
  std::unique_ptr<PgCommand> lost = std::move(in_flight_);
  progress_ = Progress();
  if (attempt && try_next_host(&why)) return;
  last_error_ = why;
  // Once for each cause: it is tried again several times a second.
  if (why.error() == Error::unhealthy && why.detail() != warned_ && options_.warn) {
    warned_ = why.detail();
    options_.warn(options_.application_name + ": " + why.detail());
  }
  state_ = State::waiting;
  if (!options_.others_work()) {
    options_.database->failed(why, since, loop_.now(), random_fraction());
  }
  retry_later();

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

bool PgConnection::try_next_host(Status* why) {
  if (hosts_.size() < 2) return false;
  if (!failed_.empty()) failed_ += "; ";
  failed_ += PgConninfo::describe(hosts_[host_]) + ": " + why->detail();
  if (why->error() != Error::backend_unavailable) failure_ = why->error();
  ++tried_;
  host_ = (host_ + 1) % hosts_.size();
  if (tried_ < hosts_.size()) {
    try_host();
    return true;
  }
  // What a person has to see to outranks what may pass.
  *why = Status(failure_, failed_);
  return false;
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
  const Duration refused = options_.database->breaker().refuses_for(loop_.now());
  timer_ = loop_.after(std::max(delay, refused), [this] { try_again(); });
}

void PgConnection::try_again() {
  if (options_.database->try_begin(loop_.fresh_now())) return connect();
  if (last_error_.ok()) last_error_ = options_.database->last_error();
  retry_later();
  if (unreachable()) fail_queued();
}

void PgConnection::try_soon() {
  if (state_ != State::waiting || failures_ < 2) return;
  // Not all of them, of all processes, at one moment.
  const double part = random_fraction();
  const auto delay =
      Duration(static_cast<int64_t>(part * static_cast<double>(return_spread.count())));
  timer_ = loop_.after(delay, [this] { try_again(); });
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
  timer_ = loop_.after(patience, [this, patience, what] {
    // Silent while connected: perhaps cut off from its standbys, one of which was promoted. So the
    // others are asked first.
    if (state_ == State::ready && hosts_.size() > 1) host_ = (host_ + 1) % hosts_.size();
    const Instant since = state_ == State::ready ? loop_.now() - patience : tried_at_;
    fail(Status(Error::backend_unavailable, std::string("no answer from PostgreSQL while ") + what),
         since);
  });
}

}  // namespace lattice::backends
