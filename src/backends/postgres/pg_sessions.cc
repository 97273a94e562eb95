// Sessions (log-protocol L1 to L6), on a connection of their own.

#include "backends/common/stored_row.h"
#include "backends/postgres/pg_store.h"

namespace lattice::backends {
namespace {

using replica::Incarnation;
using replica::SessionRow;

class PgSessions final : public replica::Sessions {
 public:
  explicit PgSessions(PgConnections& connections) : connections_(connections) {}

  void open(const Incarnation& incarnation, const replica::NodeInfo& node,
            StatusCallback done) override {
    // Rows of long ago are swept on the way. A row that is not there counts as dead, so that even a
    // process that slept through this is only told to start afresh.
    PgParams params = incarnation_params(incarnation);
    params.add_text(node.address);
    run("WITH swept AS (DELETE FROM lattice.session WHERE renewed_at < now() - interval '7 days')"
        " INSERT INTO lattice.session (incarnation, address) VALUES ($1::bytea, $2::text)"
        " ON CONFLICT DO NOTHING RETURNING 1",
        std::move(params), [done = std::move(done)](PgReply reply) mutable {
          if (reply.done() && reply.result.rows() != 1) {
            done(Status(Error::not_leader, "this incarnation was used before"));
          } else {
            done(std::move(reply.status));
          }
        });
  }

  void renew(const Incarnation& incarnation, const Position&, StatusCallback done) override {
    // The server's settings come along: a reload can relax them at any time (L6).
    run(std::string("UPDATE lattice.session SET renewals = renewals + 1, renewed_at = now()"
                    " WHERE incarnation = $1::bytea AND NOT dead RETURNING ") +
            settings_sql,
        incarnation_params(incarnation), [this, done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) {
            done(std::move(reply.status));
          } else if (reply.result.rows() != 1) {
            done(Status(Error::not_leader, "this session was declared dead"));
          } else {
            done(judge(reply.result));
          }
        });
  }

  void read(const Incarnation& incarnation, Callback<std::optional<SessionRow>> done) override {
    run("SELECT renewals, dead, address FROM lattice.session WHERE incarnation = $1::bytea",
        incarnation_params(incarnation),
        [incarnation, done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) {
            done(std::move(reply.status));
            return;
          }
          std::optional<SessionRow> row;
          if (reply.result.rows() > 0) {
            row.emplace();
            row->incarnation = incarnation;
            row->renewals = reply.result.integer(0, 0);
            row->dead = reply.result.boolean(0, 1);
            row->node.address = reply.result.bytes(0, 2);
          }
          done(std::move(row));
        });
  }

  void list(Callback<std::vector<SessionRow>> done) override {
    run("SELECT incarnation, renewals, address FROM lattice.session WHERE NOT dead"
        " ORDER BY renewed_at",
        PgParams(), [done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) {
            done(std::move(reply.status));
            return;
          }
          std::vector<SessionRow> rows(static_cast<size_t>(reply.result.rows()));
          for (int i = 0; i < reply.result.rows(); ++i) {
            SessionRow& row = rows[static_cast<size_t>(i)];
            copy_exactly(reply.result.bytes(i, 0), &row.incarnation);
            row.renewals = reply.result.integer(i, 1);
            row.node.address = reply.result.bytes(i, 2);
          }
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

  void run(std::string text, PgParams params, absl::AnyInvocable<void(PgReply)> done) {
    PgCommand command;
    command.text = std::move(text);
    command.params = std::move(params);
    command.patience = std::chrono::seconds(2);
    command.done = [alive = std::weak_ptr<bool>(alive_),
                    done = std::move(done)](PgReply reply) mutable {
      if (!alive.expired()) done(std::move(reply));
    };
    connections_.sessions->execute(std::move(command));
  }

  Status judge(const PgResult& row) {
    PgDurability durability = connections_.options.durability;
    if (durability.mode == PgDurabilityMode::async) durability.mode = PgDurabilityMode::sync;
    Status status = check_settings(row, 0, durability);
    if (!status.ok()) {
      // Appends have to find out before the next one is acknowledged: they look when they connect.
      for (auto& connection : connections_.appends) connection->reset(status);
    }
    return status;
  }

  PgConnections& connections_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<replica::Sessions> make_postgres_sessions(PgConnections& connections) {
  return std::make_unique<PgSessions>(connections);
}

}  // namespace lattice::backends
