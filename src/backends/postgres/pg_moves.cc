// A tenant on its way from or to this database (backends/common/moves.h).
#include <memory>
#include <string>
#include <utility>

#include "backends/common/stored_row.h"
#include "backends/postgres/pg_records.h"
#include "backends/postgres/pg_statements.h"
#include "backends/postgres/pg_store.h"

namespace lattice::backends {
namespace {

constexpr Duration long_patience = std::chrono::seconds(60);

// Headers and records of several batches; what is there stays as it is.
constexpr const char* add_sql =
    "WITH place AS ("
    "  SELECT log_no FROM lattice.logs WHERE log_no = $1::int4 AND state = 'arriving'"
    "), headers AS ("
    "  INSERT INTO lattice.batch (log_no, seq, previous, digest, epoch, incarnation, batch_id,"
    "                             last_revision, record_count)"
    "  SELECT place.log_no, h.* FROM place, unnest($2::int8[], $3::bytea[], $4::bytea[],"
    "    $5::int8[], $6::bytea[], $7::bytea[], $8::int8[], $9::int4[]) AS h"
    "  ON CONFLICT DO NOTHING"
    "), records AS ("
    "  INSERT INTO lattice.record (log_no, seq, idx, kind, revision, sub, key, value,"
    "                              create_revision, version, lease, number)"
    "  SELECT place.log_no, r.* FROM place, unnest($10::int8[], $11::int4[], $12::int2[],"
    "    $13::int8[], $14::int4[], $15::bytea[], $16::bytea[], $17::int8[], $18::int8[],"
    "    $19::int8[], $20::int8[]) AS r"
    "  ON CONFLICT DO NOTHING"
    ") SELECT 1 FROM place";

PgParams add_params(int64_t log_no, const std::vector<replica::Log::LoadedBatch>& batches) {
  const size_t count = batches.size();
  PgRecordSizes sizes;
  for (const auto& batch : batches) sizes.add(batch.records);
  constexpr size_t digest_bytes = sizeof(Digest);
  constexpr size_t id_bytes = sizeof(replica::BatchId);
  PgArray seqs = PgArray::int8(count);
  PgArray previous = PgArray::bytea(count, count * digest_bytes);
  PgArray digests = PgArray::bytea(count, count * digest_bytes);
  PgArray epochs = PgArray::int8(count);
  PgArray incarnations = PgArray::bytea(count, count * id_bytes);
  PgArray ids = PgArray::bytea(count, count * id_bytes);
  PgArray last_revisions = PgArray::int8(count);
  PgArray record_counts = PgArray::int4(count);
  PgArray record_seqs = PgArray::int8(sizes.count);
  PgArray indexes = PgArray::int4(sizes.count);
  PgRecordArrays records(sizes);
  for (const auto& batch : batches) {
    const replica::BatchHeader& header = *batch.header;
    const auto seq = static_cast<int64_t>(header.seq.value);
    seqs.add(seq);
    previous.add(bytes_of(header.previous));
    digests.add(bytes_of(header.digest));
    epochs.add(static_cast<int64_t>(header.epoch.value));
    incarnations.add(bytes_of(header.incarnation));
    ids.add(bytes_of(header.id));
    last_revisions.add(header.last_revision.value);
    record_counts.add(static_cast<int32_t>(header.record_count));
    for (size_t i = 0; i < batch.records.size(); ++i) {
      record_seqs.add(seq);
      indexes.add(static_cast<int32_t>(batch.indexes[i]));
      records.add(batch.records[i]);
    }
  }
  PgParams params;
  params.add_int4(static_cast<int32_t>(log_no));
  for (PgArray* array : {&seqs, &previous, &digests, &epochs, &incarnations, &ids, &last_revisions,
                         &record_counts, &record_seqs, &indexes}) {
    params.add_array(std::move(*array));
  }
  records.add_to(&params);
  return params;
}

class PgMoves final : public TenantMoves {
 public:
  explicit PgMoves(PgConnections& connections) : connections_(connections) {}

  void change(int64_t log_no, Change change, StatusCallback done) override {
    PgParams params;
    params.add_int4(static_cast<int32_t>(log_no));
    params.add_text(std::string(state_to_text(change.to)));
    params.add_text(std::move(change.other_backend));
    params.add_int8(change.routing_epoch);
    size_t bytes = 0;
    for (const TenantState state : change.from) bytes += state_to_text(state).size();
    PgArray from = PgArray::text(change.from.size(), bytes);
    for (const TenantState state : change.from) from.add(state_to_text(state));
    params.add_array(std::move(from));
    run(std::string("WITH changed AS (UPDATE lattice.logs SET state = $2::text,"
                    " other_backend = $3::text, routing_epoch = $4::int8,"
                    " tenant = CASE WHEN $2::text = 'moved'"
                    "  THEN '~'::text || log_no::text || '~'::text || tenant ELSE tenant END"
                    " WHERE log_no = $1::int4 AND state = ANY ($5::text[]) RETURNING 1),") +
            bumped_sql + " SELECT 1 FROM changed",
        std::move(params), [done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) return done(std::move(reply.status));
          done(reply.result.rows() == 1
                   ? Status()
                   : Status(Error::tenant_unknown, "the tenant is not what it was any more"));
        });
  }

  void receive(const TenantRow& row, StatusCallback done) override {
    PgParams params;
    params.add_text(row.name);
    params.add_text(limits_to_text(row.limits));
    params.add_bytes(bytes_of(row.log_id));
    params.add_text(row.other_backend);
    params.add_int8(row.routing_epoch);
    // A tombstone of an earlier move of this log from here has nothing to say any more.
    run(std::string("WITH made AS (INSERT INTO lattice.logs"
                    "  (log_no, tenant, limits, log_id, state, other_backend, routing_epoch)"
                    "  SELECT coalesce(max(log_no), 0) + 1, $1::text, $2::text, $3::bytea,"
                    "  'arriving', $4::text, $5::int8 FROM lattice.logs"
                    "  ON CONFLICT DO NOTHING RETURNING 1),"
                    " back AS (UPDATE lattice.logs SET state = 'removing'"
                    "  WHERE log_id = $3::bytea AND state = 'moved'),") +
            bumped_sql + " SELECT count(*) FROM made",
        std::move(params), [name = row.name, done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) return done(std::move(reply.status));
          if (reply.result.integer(0, 0) == 1) return done({});
          done(Status(Error::tenant_exists, "there is a tenant \"" + name + "\" already"));
        });
  }

  void add(int64_t log_no, std::vector<replica::Log::LoadedBatch> batches,
           StatusCallback done) override {
    run(
        add_sql, add_params(log_no, batches),
        [done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) return done(std::move(reply.status));
          done(reply.result.rows() == 1
                   ? Status()
                   : Status(Error::tenant_unknown, "the tenant is not arriving any more"));
        },
        long_patience);
  }

  void census(int64_t log_no, Seq last, Callback<Census> done) override {
    PgParams params;
    params.add_int4(static_cast<int32_t>(log_no));
    params.add_int8(static_cast<int64_t>(last.value));
    params.add_int8(static_cast<int64_t>(census_batches));
    run(
        "SELECT seq / $3::int8, count(*) FROM lattice.record"
        " WHERE log_no = $1::int4 AND seq <= $2::int8 GROUP BY 1",
        std::move(params),
        [done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) return done(std::move(reply.status));
          Census census;
          for (int i = 0; i < reply.result.rows(); ++i) {
            census[static_cast<uint64_t>(reply.result.integer(i, 0))] = reply.result.integer(i, 1);
          }
          done(std::move(census));
        },
        long_patience);
  }

  void records(int64_t log_no, Seq first, Seq last,
               Callback<std::vector<keyspace::RecordId>> done) override {
    PgParams params;
    params.add_int4(static_cast<int32_t>(log_no));
    params.add_int8(static_cast<int64_t>(first.value));
    params.add_int8(static_cast<int64_t>(last.value));
    run(
        "SELECT seq, idx FROM lattice.record WHERE log_no = $1::int4 AND seq >= $2::int8"
        " AND seq <= $3::int8 ORDER BY seq, idx",
        std::move(params),
        [done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) return done(std::move(reply.status));
          std::vector<keyspace::RecordId> ids;
          ids.reserve(static_cast<size_t>(reply.result.rows()));
          for (int i = 0; i < reply.result.rows(); ++i) {
            ids.push_back({Seq(static_cast<uint64_t>(reply.result.integer(i, 0))),
                           static_cast<uint32_t>(reply.result.integer(i, 1))});
          }
          done(std::move(ids));
        },
        long_patience);
  }

 private:
  void run(std::string text, PgParams params, absl::AnyInvocable<void(PgReply)> done,
           Duration patience = std::chrono::seconds(10)) {
    statements_.run(*connections_.bulk, std::move(text), std::move(params), std::move(done),
                    {.patience = patience, .promises = true});
  }

  PgConnections& connections_;
  PgStatements statements_;
};

}  // namespace

std::unique_ptr<TenantMoves> make_postgres_moves(PgConnections& connections) {
  return std::make_unique<PgMoves>(connections);
}

}  // namespace lattice::backends
