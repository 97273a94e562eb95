// Sessions (log-protocol L1 to L6), on a connection of their own.

#include "backends/common/stored_row.h"
#include "backends/postgres/pg_statements.h"
#include "backends/postgres/pg_store.h"
#include "base/planted.h"

namespace lattice::backends {
namespace {

using replica::Announcement;
using replica::Incarnation;
using replica::SessionRow;

constexpr const char* row_columns =
    "s.incarnation, s.renewals, s.dead, s.address, s.name, s.client_urls";
constexpr int row_columns_count = 6;

SessionRow row_of(const PgResult& result, int i) {
  SessionRow row;
  copy_exactly(result.bytes(i, 0), &row.incarnation);
  row.renewals = result.integer(i, 1);
  row.dead = result.boolean(i, 2);
  row.node.address = result.bytes(i, 3);
  row.node.name = result.bytes(i, 4);
  row.node.client_urls = result.strings(i, 5);
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
    run("WITH swept AS (DELETE FROM lattice.session WHERE renewed_at < now() - interval '7 days'),"
        " forgotten AS (DELETE FROM lattice.announced a WHERE NOT EXISTS (SELECT 1"
        "  FROM lattice.session s WHERE s.incarnation = a.incarnation AND NOT s.dead))"
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

  void renew(const Incarnation& incarnation, std::vector<Announcement> news,
             StatusCallback done) override {
    if (planted(Planted::session_renewed_in_name)) {
      return run("SELECT 1", {}, [done = std::move(done)](PgReply reply) mutable {
        done(std::move(reply.status));
      });
    }
    PgParams params = incarnation_params(incarnation);
    // The server's settings come along: a reload can relax them at any time (L6).
    std::string sql = std::string(
                          "UPDATE lattice.session SET renewals = renewals + 1, renewed_at = now()"
                          " WHERE incarnation = $1::bytea AND NOT dead RETURNING ") +
                      settings_sql;
    if (!news.empty()) {
      add_announcements(news, &params);
      sql = "WITH renewed AS (" + sql +
            "), told AS (INSERT INTO lattice.announced (incarnation, log_id, seq, digest)"
            "  SELECT $1::bytea, n.log_id, n.seq, n.digest"
            "  FROM unnest($2::bytea[], $3::int8[], $4::bytea[]) AS n (log_id, seq, digest)"
            "  WHERE EXISTS (SELECT 1 FROM renewed) ON CONFLICT (incarnation, log_id)"
            "  DO UPDATE SET seq = excluded.seq, digest = excluded.digest)"
            " SELECT * FROM renewed";
    }
    run(
        std::move(sql), std::move(params),
        [this, done = std::move(done)](PgReply reply) mutable {
          Status status = std::move(reply.status);
          if (reply.done()) status = judge(reply.result);
          if (status.error() == Error::unhealthy) close_writes(status);
          done(std::move(status));
        },
        /*promises=*/true);
  }

  void read(const Incarnation& incarnation, const replica::LogId& log,
            Callback<std::optional<SessionRow>> done) override {
    questions_.push_back({incarnation, log, std::move(done)});
    if (questions_.size() > 1) return;
    connections_.loop.defer([this, alive = std::weak_ptr<bool>(statements_.alive())] {
      if (!alive.expired()) send_questions();
    });
  }

  void list(Callback<std::vector<SessionRow>> done) override {
    // A process that was killed leaves a row that nobody may ever declare dead: only a challenger
    // does. The server's clock says here which rows are worth showing, and nothing else.
    run(std::string("SELECT ") + row_columns +
            " FROM lattice.session s WHERE NOT s.dead"
            " AND s.renewed_at > now() - interval '10 seconds' ORDER BY s.opened_at, s.incarnation",
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
  struct Question {
    Incarnation incarnation;
    replica::LogId log;
    Callback<std::optional<SessionRow>> done;
  };

  static PgParams incarnation_params(const Incarnation& incarnation) {
    PgParams params;
    params.add_bytes(bytes_of(incarnation));
    return params;
  }

  void run(std::string text, PgParams params, absl::AnyInvocable<void(PgReply)> done,
           bool promises = false) {
    statements_.run(*connections_.sessions, std::move(text), std::move(params), std::move(done),
                    {.patience = std::chrono::seconds(2), .promises = promises});
  }

  static void add_announcements(const std::vector<Announcement>& news, PgParams* params) {
    PgArray logs = PgArray::bytea(news.size(), news.size() * sizeof(replica::LogId));
    PgArray seqs = PgArray::int8(news.size());
    PgArray digests = PgArray::bytea(news.size(), news.size() * sizeof(Digest));
    for (const Announcement& each : news) {
      logs.add(bytes_of(each.log));
      seqs.add(static_cast<int64_t>(each.position.seq.value));
      digests.add(bytes_of(each.position.digest));
    }
    params->add_array(std::move(logs));
    params->add_array(std::move(seqs));
    params->add_array(std::move(digests));
  }

  // What was asked in one turn of the loop, in one statement.
  void send_questions() {
    std::vector<Question> questions = std::exchange(questions_, {});
    const size_t count = questions.size();
    PgArray incarnations = PgArray::bytea(count, count * sizeof(Incarnation));
    PgArray logs = PgArray::bytea(count, count * sizeof(replica::LogId));
    for (const Question& question : questions) {
      incarnations.add(bytes_of(question.incarnation));
      logs.add(bytes_of(question.log));
    }
    PgParams params;
    params.add_array(std::move(incarnations));
    params.add_array(std::move(logs));
    // Processes of schema version 6 announce in their session's row, each of the one log that it
    // is about; those of later versions have nothing there.
    run(std::string("SELECT ") + row_columns +
            ", coalesce(a.seq, s.announced_seq), coalesce(a.digest, s.announced_digest), q.place"
            " FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY"
            "  AS q (incarnation, log_id, place)"
            " JOIN lattice.session s ON s.incarnation = q.incarnation"
            " LEFT JOIN lattice.announced a"
            "  ON a.incarnation = q.incarnation AND a.log_id = q.log_id",
        std::move(params), [questions = std::move(questions)](PgReply reply) mutable {
          answer(questions, std::move(reply));
        });
  }

  static void answer(std::vector<Question>& questions, PgReply reply) {
    std::vector<std::optional<SessionRow>> rows(questions.size());
    for (int i = 0; i < reply.result.rows(); ++i) {
      SessionRow row = row_of(reply.result, i);
      if (copy_exactly(reply.result.bytes(i, row_columns_count + 1), &row.announced.digest)) {
        row.announced.seq = Seq(static_cast<uint64_t>(reply.result.integer(i, row_columns_count)));
      }
      const auto place = static_cast<size_t>(reply.result.integer(i, row_columns_count + 2));
      if (place >= 1 && place <= rows.size()) rows[place - 1] = std::move(row);
    }
    for (size_t i = 0; i < questions.size(); ++i) {
      if (!reply.done()) {
        questions[i].done(reply.status);
      } else {
        questions[i].done(std::move(rows[i]));
      }
    }
  }

  Status judge(const PgResult& row) const {
    if (row.rows() != 1) return Status(Error::not_leader, "this session was declared dead");
    PgDurability durability = connections_.options.durability;
    if (durability.mode == PgDurabilityMode::async) durability.mode = PgDurabilityMode::sync;
    return check_settings(row, 0, durability);
  }

  // Appends have to find out before the next one is acknowledged: they look when they connect.
  void close_writes(const Status& why) {
    for (const auto& lane : connections_.lanes) {
      if (lane->connection->ready()) lane->connection->reset(why);
    }
  }

  PgConnections& connections_;
  std::vector<Question> questions_;  // of this turn
  PgStatements statements_;
};

}  // namespace

std::unique_ptr<replica::Sessions> make_postgres_sessions(PgConnections& connections) {
  return std::make_unique<PgSessions>(connections);
}

}  // namespace lattice::backends
