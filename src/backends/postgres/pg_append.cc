#include "backends/postgres/pg_append.h"

#include "backends/common/stored_row.h"
#include "backends/postgres/pg_records.h"
#include "base/planted.h"

namespace lattice::backends {

using replica::AppendOutcome;
using replica::AppendReply;

// The compare-and-set is the insert (P2). Three conditions, and each is needed: the digest of seq -
// 1 tells histories apart; "nothing at or behind seq" rejects a late submission whose own header
// was trimmed while its predecessor's was kept; the primary key with DO NOTHING decides between two
// that arrive together, the second of which waits until the first has committed or not. The row
// that comes back is the verdict: one if the batch went in, none if it was rejected.
constexpr std::string_view setup_sql = R"sql(
SET work_mem = '64MB';
PREPARE lattice_append (int4, int8, bytea, bytea, int8, bytea, bytea, int8, int4,
    int2[], int8[], int4[], bytea[], bytea[], int8[], int8[], int8[], int8[]) AS
WITH header AS (
  INSERT INTO lattice.batch (log_no, seq, previous, digest, epoch, incarnation, batch_id,
                             last_revision, record_count)
  SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
  WHERE (($2 = 1 AND $3 = decode(repeat('00', 32), 'hex'))
         OR EXISTS (SELECT 1 FROM lattice.batch
                    WHERE log_no = $1 AND seq = $2 - 1 AND digest = $3))
    AND NOT EXISTS (SELECT 1 FROM lattice.batch WHERE log_no = $1 AND seq >= $2)
  ON CONFLICT DO NOTHING
  RETURNING log_no, seq
), records AS (
  INSERT INTO lattice.record (log_no, seq, idx, kind, revision, sub, key, value,
                              create_revision, version, lease, number)
  SELECT header.log_no, header.seq, (r.place - 1)::int4, r.kind, r.revision, r.sub, r.key, r.value,
         r.create_revision, r.version, r.lease, r.number
  FROM header, unnest($10, $11, $12, $13, $14, $15, $16, $17, $18) WITH ORDINALITY
    AS r (kind, revision, sub, key, value, create_revision, version, lease, number, place)
)
SELECT 1 FROM header;
)sql";

std::string append_setup() {
  std::string sql(setup_sql);
  constexpr std::string_view compare = " AND digest = $3";
  if (planted(Planted::append_ignores_digest)) sql.replace(sql.find(compare), compare.size(), "");
  return sql;
}

PgParams append_params(int32_t log_no, const replica::Batch& batch) {
  const replica::BatchHeader& header = batch.header;
  const auto& records = batch.records;
  PgRecordSizes sizes;
  sizes.add(records);
  PgRecordArrays arrays(sizes);
  for (const keyspace::Record& record : records) arrays.add(record);
  PgParams params;
  params.add_int4(log_no);
  params.add_int8(static_cast<int64_t>(header.seq.value));
  params.add_bytes(bytes_of(header.previous));
  params.add_bytes(bytes_of(header.digest));
  params.add_int8(static_cast<int64_t>(header.epoch.value));
  params.add_bytes(bytes_of(header.incarnation));
  params.add_bytes(bytes_of(header.id));
  params.add_int8(header.last_revision.value);
  params.add_int4(static_cast<int32_t>(records.size()));
  arrays.add_to(&params);
  return params;
}

AppendReply append_verdict(PgReply reply) {
  AppendReply answer;
  switch (reply.outcome) {
    case PgReply::Outcome::done:
      if (reply.result.rows() == 1) answer.outcome = AppendOutcome::committed;
      if (reply.result.rows() == 0) answer.outcome = AppendOutcome::rejected;
      break;
    case PgReply::Outcome::refused:
    case PgReply::Outcome::unsent:
      answer.definite_error = true;
      break;
    case PgReply::Outcome::unclear:
      break;
  }
  answer.detail = std::move(reply.status);
  return answer;
}

}  // namespace lattice::backends
