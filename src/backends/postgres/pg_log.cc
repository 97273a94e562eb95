// The statements of a log; that of an append is pg_append.cc's. Each is one transaction, and each
// finds its rows by primary key.

#include <algorithm>

#include "backends/postgres/pg_append.h"
#include "backends/postgres/pg_load.h"
#include "backends/postgres/pg_statements.h"
#include "backends/postgres/pg_store.h"
#include "base/planted.h"

namespace lattice::backends {
namespace {

using replica::AppendReply;

constexpr const char* header_columns =
    "seq, previous, digest, epoch, incarnation, batch_id, last_revision, record_count";
constexpr size_t removals_per_statement = 5000;
// Batch and index in one number; 2^43 batches leave 2^20 records in each.
constexpr int64_t seq_span = int64_t{1} << 43;
// How long an append may wait for a lock before its holder is looked for (P3).
constexpr Duration blocked_after = std::chrono::seconds(2);

class PgLog final : public replica::Log {
 public:
  PgLog(PgConnections& connections, int32_t log_no, const replica::LogId& id)
      : connections_(connections),
        lane_(connections.take_lane()),
        append_(*lane_.connection),
        heads_(*lane_.heads),
        log_no_(log_no),
        id_(id) {}
  ~PgLog() override { --lane_.logs; }
  PgLog(const PgLog&) = delete;
  PgLog& operator=(const PgLog&) = delete;

  const replica::LogId& id() const override { return id_; }
  bool exclusive() const override { return false; }
  uint64_t connection() const override { return append_.generation(); }
  replica::LogServer server() const override {
    return {static_cast<uint64_t>(append_.server().system_identifier),
            static_cast<uint64_t>(append_.server().timeline)};
  }
  bool reachable() const override { return connections_.reachable(); }
  bool survives_failover() const override {
    // Not where only one server is named, either: a standby can take over its name.
    const PgDurability& durability = connections_.options.durability;
    return durability.mode == PgDurabilityMode::quorum && durability.quorum_size >= 2;
  }

  void append(std::shared_ptr<const replica::Batch> batch,
              absl::AnyInvocable<void(AppendReply)> done) override {
    PgCommand command;
    command.form = PgCommand::Form::prepared;
    command.text = "lattice_append";
    command.params = append_params(log_no_, *batch);
    command.patience = connections_.options.statement_patience;
    command.promises = true;
    command.done = [this, alive = std::weak_ptr<bool>(statements_.alive()),
                    done = std::move(done)](PgReply reply) mutable {
      if (alive.expired()) return;
      --appends_;
      watch_for_blocker();
      done(append_verdict(std::move(reply)));
    };
    ++appends_;
    if (blocked_ == nullptr) watch_for_blocker();
    append_.execute(std::move(command));
  }

  void load(Seq after, OnBatch on_batch, StatusCallback done) override {
    // By way of the append connection, so that both are there and their servers can be compared.
    run(append_, "SELECT 1", {},
        [this, after, on_batch = std::move(on_batch),
         done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) {
            done(std::move(reply.status));
            return;
          }
          PgLoad::start(connections_, append_, log_no_, after, statements_.alive(),
                        std::move(on_batch), std::move(done));
        });
  }

  void look(Seq seq, Callback<LookReply> done) override {
    PgParams params = log_params();
    params.add_int8(static_cast<int64_t>(seq.value));
    run(append_,
        std::string("SELECT ") + header_columns +
            ", (SELECT min(seq) FROM lattice.batch WHERE log_no = $1::int4),"
            " (SELECT max(seq) FROM lattice.batch WHERE log_no = $1::int4)"
            " FROM (SELECT 1) always LEFT JOIN lattice.batch ON log_no = $1::int4 AND seq = "
            "$2::int8",
        std::move(params), [done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) {
            done(std::move(reply.status));
            return;
          }
          LookReply answer;
          answer.oldest = Seq(static_cast<uint64_t>(reply.result.integer(0, 8)));
          answer.newest = Seq(static_cast<uint64_t>(reply.result.integer(0, 9)));
          if (reply.result.integer(0, 0) != 0) {
            auto header = header_of(reply.result, 0);
            if (!header.ok()) {
              done(header.status());
              return;
            }
            answer.header = *header;
          }
          done(answer);
        });
  }

  void head(Callback<replica::LogHead> done) override {
    heads_.ask(log_no_, statements_.alive(), std::move(done));
  }

  void barrier(StatusCallback done) override {
    run(
        append_,
        planted(Planted::barrier_without_commit)
            ? "SELECT 1 FROM lattice.logs WHERE log_no = $1::int4"
            : "UPDATE lattice.logs SET barriers = barriers + 1 WHERE log_no = $1::int4 RETURNING 1",
        log_params(),
        [done = std::move(done)](PgReply reply) mutable {
          if (reply.done() && reply.result.rows() != 1) {
            done(Status(Error::backend_foreign_data, "lattice.logs has lost this tenant's row"));
          } else {
            done(std::move(reply.status));
          }
        },
        /*promises=*/true);
  }

  void remove(std::vector<keyspace::RecordId> records, StatusCallback done) override {
    remove_some(std::move(records), 0, std::move(done));
  }

  void trim(Seq below, StatusCallback done) override { trim_some(Seq(0), below, std::move(done)); }

  void size(Callback<replica::LogSize> done) override;
  void defragment(StatusCallback done) override;

 private:
  PgParams log_params() const {
    PgParams params;
    params.add_int4(log_no_);
    return params;
  }

  // Runs one statement; `done` is not called once this log is gone.
  void run(PgConnection& connection, std::string text, PgParams params,
           absl::AnyInvocable<void(PgReply)> done, bool promises = false) {
    run(connection, std::move(text), std::move(params), std::move(done),
        connections_.options.statement_patience, promises);
  }
  void run(PgConnection& connection, std::string text, PgParams params,
           absl::AnyInvocable<void(PgReply)> done, Duration patience, bool promises = false) {
    statements_.run(connection, std::move(text), std::move(params), std::move(done),
                    {.patience = patience, .promises = promises});
  }

  void remove_some(std::vector<keyspace::RecordId> records, size_t from, StatusCallback done);
  void trim_some(Seq from, Seq below, StatusCallback done);
  void watch_for_blocker();
  void end_blocker();

  PgConnections& connections_;
  PgAppendLane& lane_;
  PgConnection& append_;
  PgHeads& heads_;  // over that connection
  int32_t log_no_;
  replica::LogId id_;
  int appends_ = 0;  // not answered yet
  std::unique_ptr<loop::TimerHandle> blocked_;
  PgStatements statements_;
};

void PgLog::remove_some(std::vector<keyspace::RecordId> records, size_t from, StatusCallback done) {
  const size_t count = std::min(removals_per_statement, records.size() - from);
  PgArray seqs = PgArray::int8(count);
  PgArray places = PgArray::int8(count);
  for (size_t i = from; i < from + count; ++i) {
    const auto seq = static_cast<int64_t>(records[i].seq.value);
    seqs.add(seq);
    places.add(static_cast<int64_t>(records[i].index) * seq_span + seq);
  }
  PgParams params = log_params();
  params.add_array(std::move(seqs));
  params.add_array(std::move(places));
  // Not a join with unnest: for a small table the planner then reads the whole log once for each
  // record. So the index finds the batches, and a hashed array tells their records apart.
  run(
      *connections_.bulk,
      "DELETE FROM lattice.record WHERE log_no = $1::int4 AND seq = ANY ($2::int8[])"
      " AND idx::int8 * 8796093022208 + seq = ANY ($3::int8[])",
      std::move(params),
      [this, records = std::move(records), from, count,
       done = std::move(done)](PgReply reply) mutable {
        if (!reply.done() || from + count == records.size()) {
          done(std::move(reply.status));
        } else {
          remove_some(std::move(records), from + count, std::move(done));
        }
      },
      std::chrono::seconds(60));
}

void PgLog::trim_some(Seq from, Seq below, StatusCallback done) {
  PgParams params = log_params();
  params.add_int8(static_cast<int64_t>(from.value));
  params.add_int8(static_cast<int64_t>(below.value));
  // Scalar subqueries and an array, again so that the planner has nothing to choose.
  run(
      *connections_.bulk,
      "WITH candidates AS ("
      "  SELECT seq FROM lattice.batch WHERE log_no = $1::int4 AND seq >= $2::int8"
      "    AND seq < least($3::int8, (SELECT max(seq) FROM lattice.batch WHERE log_no = $1::int4))"
      "  ORDER BY seq LIMIT 5000"
      "), gone AS ("
      "  DELETE FROM lattice.batch WHERE log_no = $1::int4 AND seq = ANY (ARRAY("
      "    SELECT c.seq FROM candidates c WHERE"
      "      (SELECT r.idx FROM lattice.record r"
      "       WHERE r.log_no = $1::int4 AND r.seq = c.seq LIMIT 1) IS NULL))"
      ") SELECT max(seq) FROM candidates",
      std::move(params),
      [this, below, done = std::move(done)](PgReply reply) mutable {
        const int64_t last = reply.done() ? reply.result.integer(0, 0) : 0;
        if (!reply.done() || last == 0) {
          done(std::move(reply.status));
        } else {
          trim_some(Seq(static_cast<uint64_t>(last) + 1), below, std::move(done));
        }
      },
      std::chrono::seconds(60));
}

void PgLog::size(Callback<replica::LogSize> done) {
  // Of all tenants together: PostgreSQL keeps no account per tenant. What is in use is estimated
  // from the counts that its statistics keep anyway.
  run(*connections_.bulk,
      "SELECT sum(bytes)::int8,"
      " sum(bytes * live / greatest(live + dead, 1))::int8 FROM (SELECT"
      " pg_total_relation_size(relid)::float8 AS bytes, greatest(n_live_tup, 1)::float8 AS live,"
      " n_dead_tup::float8 AS dead FROM pg_stat_all_tables WHERE schemaname = 'lattice') tables",
      {}, [done = std::move(done)](PgReply reply) mutable {
        if (reply.done()) {
          done(replica::LogSize{reply.result.integer(0, 0), reply.result.integer(0, 1)});
        } else {
          done(std::move(reply.status));
        }
      });
}

void PgLog::defragment(StatusCallback done) {
  // Plain VACUUM: beside the appends, and gives back what is free at the end of the files.
  static constexpr Duration for_ever{0};
  run(
      *connections_.maintenance, "VACUUM lattice.record", {},
      [this, done = std::move(done)](PgReply reply) mutable {
        if (!reply.done()) {
          done(std::move(reply.status));
          return;
        }
        run(
            *connections_.maintenance, "VACUUM lattice.batch", {},
            [done = std::move(done)](PgReply last) mutable { done(std::move(last.status)); },
            for_ever);
      },
      for_ever);
}

void PgLog::watch_for_blocker() {
  blocked_.reset();
  if (appends_ > 0) blocked_ = connections_.loop.after(blocked_after, [this] { end_blocker(); });
}

void PgLog::end_blocker() {
  // What holds the append up is another submission of the same place whose client is gone or stands
  // still. It is ended, never cancelled; what became of it the chain will tell. A person's psql
  // that has locked the table is not ours to end.
  PgParams params;
  params.add_int4(append_.server().backend_pid);
  // While a VACUUM goes on, the other one.
  PgConnection& free =
      connections_.maintenance->busy() ? *connections_.bulk : *connections_.maintenance;
  run(free,
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
      " WHERE pid = ANY (pg_blocking_pids($1::int4)) AND usename = current_user"
      " AND application_name LIKE 'lattice %'",
      std::move(params), [](PgReply) {});
}

}  // namespace

std::unique_ptr<replica::Log> make_postgres_log(PgConnections& connections, int32_t log_no,
                                                const replica::LogId& id) {
  return std::make_unique<PgLog>(connections, log_no, id);
}

}  // namespace lattice::backends
