// Sessions (log-protocol L1 to L6), on a connection of their own.

#include "backends/common/stored_row.h"
#include "backends/postgres/pg_store.h"
#include "base/planted.h"

namespace lattice::backends {
namespace {

using replica::Incarnation;
using replica::SessionRow;

constexpr const char* row_columns =
    "incarnation, renewals, dead, address, name, client_urls, announced_seq, announced_digest";

SessionRow row_of(const PgResult& result, int i) {
  SessionRow row;
  copy_exactly(result.bytes(i, 0), &row.incarnation);
  row.renewals = result.integer(i, 1);
  row.dead = result.boolean(i, 2);
  row.node.address = result.bytes(i, 3);
  row.node.name = result.bytes(i, 4);
  row.node.client_urls = result.strings(i, 5);
  if (copy_exactly(result.bytes(i, 7), &row.announced.digest)) {
    row.announced.seq = Seq(static_cast<uint64_t>(result.integer(i, 6)));
  }
  return row;
}

class PgSessions final : public replica::Sessions {
 public:
  explicit PgSessions(PgConnections& connections) : connections_(connections) {}

  void open(const Incarnation& incarnation, const replica::NodeInfo& node,
            StatusCallback done) override {
    // Rows of long ago are swept on the way. A row that is not there counts as dead, so that even a
    // process that slept through this is only told to start afresh.
    PgParams params = incarnation_params(incarnation);
    params.add_text(node.address);
    params.add_text(node.name);
    PgArray urls = PgArray::text(node.client_urls.size(), 0);
    for (const std::string& url : node.client_urls) urls.add(std::string_view(url));
    params.add_array(std::move(urls));
    run("WITH swept AS (DELETE FROM lattice.session WHERE renewed_at < now() - interval '7 days')"
        " INSERT INTO lattice.session (incarnation, address, name, client_urls)"
        " VALUES ($1::bytea, $2::text, $3::text, $4::text[])"
        " ON CONFLICT DO NOTHING RETURNING 1",
        std::move(params), [done = std::move(done)](PgReply reply) mutable {
          if (reply.done() && reply.result.rows() != 1) {
            done(Status(Error::not_leader, "this incarnation was used before"));
          } else {
            done(std::move(reply.status));
          }
        });
  }

  void renew(const Incarnation& incarnation, const Position& announced,
             StatusCallback done) override {
    if (planted(Planted::session_renewed_in_name)) {
      return run("SELECT 1", {}, [done = std::move(done)](PgReply reply) mutable {
        done(std::move(reply.status));
      });
    }
    PgParams params = incarnation_params(incarnation);
    params.add_int8(static_cast<int64_t>(announced.seq.value));
    params.add_bytes(bytes_of(announced.digest));
    // The server's settings come along: a reload can relax them at any time (L6).
    run(
        std::string("UPDATE lattice.session SET renewals = renewals + 1, renewed_at = now(),"
                    " announced_seq = CASE $2::int8 WHEN 0 THEN announced_seq ELSE $2::int8 END,"
                    " announced_digest = CASE $2::int8 WHEN 0 THEN announced_digest"
                    " ELSE $3::bytea END"
                    " WHERE incarnation = $1::bytea AND NOT dead RETURNING ") +
            settings_sql,
        std::move(params),
        [this, done = std::move(done)](PgReply reply) mutable {
          Status status = std::move(reply.status);
          if (reply.done()) status = judge(reply.result);
          if (status.error() == Error::unhealthy) close_writes(status);
          done(std::move(status));
        },
        /*promises=*/true);
  }

  void read(const Incarnation& incarnation, Callback<std::optional<SessionRow>> done) override {
    run(std::string("SELECT ") + row_columns +
            " FROM lattice.session WHERE incarnation = $1::bytea",
        incarnation_params(incarnation), [done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) {
            done(std::move(reply.status));
            return;
          }
          std::optional<SessionRow> row;
          if (reply.result.rows() > 0) row = row_of(reply.result, 0);
          done(std::move(row));
        });
  }

  void list(Callback<std::vector<SessionRow>> done) override {
    // A process that was killed leaves a row that nobody may ever declare dead: only a challenger
    // does. The server's clock says here which rows are worth showing, and nothing else.
    run(std::string("SELECT ") + row_columns +
            " FROM lattice.session WHERE NOT dead AND renewed_at > now() - interval '10 seconds'"
            " ORDER BY opened_at, incarnation",
        PgParams(), [done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) {
            done(std::move(reply.status));
            return;
          }
          std::vector<SessionRow> rows;
          for (int i = 0; i < reply.result.rows(); ++i) rows.push_back(row_of(reply.result, i));
          done(std::move(rows));
        });
  }

  void declare_dead(const Incarnation& incarnation, int64_t renewals,
                    Callback<bool> done) override {
    PgParams params = incarnation_params(incarnation);
    params.add_int8(renewals);
    run("UPDATE lattice.session SET dead = true"
        " WHERE incarnation = $1::bytea AND renewals = $2::int8 AND NOT dead RETURNING 1",
        std::move(params), [done = std::move(done)](PgReply reply) mutable {
          if (reply.done()) {
            done(reply.result.rows() == 1);
          } else {
            done(std::move(reply.status));
          }
        });
  }

  void release(const Incarnation& incarnation, StatusCallback done) override {
    run("UPDATE lattice.session SET dead = true WHERE incarnation = $1::bytea",
        incarnation_params(incarnation),
        [done = std::move(done)](PgReply reply) mutable { done(std::move(reply.status)); });
  }

 private:
  static PgParams incarnation_params(const Incarnation& incarnation) {
    PgParams params;
    params.add_bytes(bytes_of(incarnation));
    return params;
  }

  void run(std::string text, PgParams params, absl::AnyInvocable<void(PgReply)> done,
           bool promises = false) {
    PgCommand command;
    command.promises = promises;
    command.text = std::move(text);
    command.params = std::move(params);
    command.patience = std::chrono::seconds(2);
    command.done = [alive = std::weak_ptr<bool>(alive_),
                    done = std::move(done)](PgReply reply) mutable {
      if (!alive.expired()) done(std::move(reply));
    };
    connections_.sessions->execute(std::move(command));
  }

  Status judge(const PgResult& row) const {
    if (row.rows() != 1) return Status(Error::not_leader, "this session was declared dead");
    PgDurability durability = connections_.options.durability;
    if (durability.mode == PgDurabilityMode::async) durability.mode = PgDurabilityMode::sync;
    return check_settings(row, 0, durability);
  }

  // Appends have to find out before the next one is acknowledged: they look when they connect.
  void close_writes(const Status& why) {
    for (auto& connection : connections_.appends) {
      if (connection->ready()) connection->reset(why);
    }
  }

  PgConnections& connections_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<replica::Sessions> make_postgres_sessions(PgConnections& connections) {
  return std::make_unique<PgSessions>(connections);
}

}  // namespace lattice::backends
