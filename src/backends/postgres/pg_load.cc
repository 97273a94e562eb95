#include "backends/postgres/pg_load.h"

#include "backends/common/stored_row.h"

namespace lattice::backends {
namespace {

constexpr int headers_per_chunk = 4096;
constexpr size_t records_per_statement = 65'536;

}  // namespace

Result<replica::BatchHeader> header_of(const PgResult& result, int row) {
  StoredHeader stored;
  stored.seq = result.integer(row, 0);
  stored.previous = result.bytes(row, 1);
  stored.digest = result.bytes(row, 2);
  stored.epoch = result.integer(row, 3);
  stored.incarnation = result.bytes(row, 4);
  stored.batch_id = result.bytes(row, 5);
  stored.last_revision = result.integer(row, 6);
  stored.record_count = result.integer(row, 7);
  return to_header(stored);
}

void PgLoad::start(PgConnections& connections, const PgConnection& append, int32_t log_no,
                   Seq after, std::weak_ptr<bool> alive, replica::Log::OnBatch on_batch,
                   StatusCallback done) {
  const auto load = std::make_shared<PgLoad>(connections, append, log_no);
  load->after_ = after;
  load->alive_ = std::move(alive);
  load->on_batch_ = std::move(on_batch);
  load->done_ = std::move(done);
  load->read_headers();
}

void PgLoad::finish(Status status) {
  if (!alive_.expired()) done_(std::move(status));
}

bool PgLoad::same_server() const {
  return append_.ready() && append_.server().same_as(connections_.bulk->server());
}

void PgLoad::read_headers() {
  PgCommand command;
  command.text =
      "SELECT seq, previous, digest, epoch, incarnation, batch_id, last_revision, record_count"
      " FROM lattice.batch WHERE log_no = $1::int4 AND seq > $2::int8 ORDER BY seq LIMIT $3::int4";
  command.params.add_int4(log_no_);
  command.params.add_int8(static_cast<int64_t>(after_.value));
  command.params.add_int4(headers_per_chunk);
  command.done = [self = shared_from_this()](PgReply reply) {
    if (self->alive_.expired()) return;
    if (!reply.done()) {
      self->finish(std::move(reply.status));
    } else {
      self->take_headers(reply.result);
    }
  };
  connections_.bulk->execute(std::move(command));
}

void PgLoad::take_headers(const PgResult& rows) {
  if (!same_server()) {
    // One of the two is stale; which one shows when both connect again.
    connections_.bulk->reset(Status(Error::backend_unavailable, "the server has changed"));
    finish(Status(Error::backend_unavailable,
                  "the load and the append connections reached different servers"));
    return;
  }
  batches_.clear();
  handed_over_ = 0;
  last_chunk_ = rows.rows() < headers_per_chunk;
  for (int i = 0; i < rows.rows(); ++i) {
    auto header = header_of(rows, i);
    if (!header.ok()) {
      finish(header.status());
      return;
    }
    replica::Log::LoadedBatch batch;
    batch.header = *header;
    batch.seq = header->seq;
    batches_.push_back(std::move(batch));
  }
  if (batches_.empty()) {
    finish(Status());
  } else {
    read_records();
  }
}

void PgLoad::read_records() {
  size_t records = 0;
  wanted_ = handed_over_;
  while (wanted_ < batches_.size() &&
         (wanted_ == handed_over_ || records < records_per_statement)) {
    records += batches_[wanted_++].header->record_count;
  }
  PgCommand command;
  command.text =
      "SELECT seq, idx, kind, revision, sub, key, value, create_revision, version, lease, number"
      " FROM lattice.record WHERE log_no = $1::int4 AND seq >= $2::int8 AND seq <= $3::int8"
      " ORDER BY log_no, seq, idx";
  command.params.add_int4(log_no_);
  command.params.add_int8(static_cast<int64_t>(batches_[handed_over_].seq.value));
  command.params.add_int8(static_cast<int64_t>(batches_[wanted_ - 1].seq.value));
  command.on_row = [self = shared_from_this()](const PgResult& row) {
    if (!self->alive_.expired() && self->problem_.ok()) self->take_record(row);
  };
  command.done = [self = shared_from_this()](PgReply reply) {
    if (self->alive_.expired()) return;
    if (!reply.done()) {
      self->finish(std::move(reply.status));
    } else {
      self->end_of_records();
    }
  };
  connections_.bulk->execute(std::move(command));
}

void PgLoad::take_record(const PgResult& row) {
  const Seq seq(static_cast<uint64_t>(row.integer(0, 0)));
  const std::weak_ptr<bool> alive = alive_;
  hand_over_below(seq);
  if (alive.expired()) return;
  if (handed_over_ == wanted_ || batches_[handed_over_].seq != seq) {
    // Its header was trimmed between the two statements, or never there: trimming spares batches
    // with records, so that only an edit can have done it.
    problem_ = Status(Error::backend_corrupt,
                      "records of batch " + std::to_string(seq.value) + " have no header");
    return;
  }
  StoredRecord stored;
  stored.kind = row.integer(0, 2);
  stored.revision = row.integer(0, 3);
  stored.sub = row.integer(0, 4);
  stored.key = row.bytes(0, 5);
  stored.value = row.bytes(0, 6);
  stored.create_revision = row.integer(0, 7);
  stored.version = row.integer(0, 8);
  stored.lease = row.integer(0, 9);
  stored.number = row.integer(0, 10);
  auto record = to_record(stored);
  replica::Log::LoadedBatch& batch = batches_[handed_over_];
  const int64_t index = row.integer(0, 1);
  if (!record.ok()) {
    problem_ = record.status();
  } else if (index < 0 || index >= batch.header->record_count) {
    problem_ = Status(Error::backend_corrupt, "record index beyond the batch's count");
  } else {
    batch.indexes.push_back(static_cast<uint32_t>(index));
    batch.records.push_back(std::move(*record));
  }
}

void PgLoad::hand_over_below(Seq seq) {
  const std::weak_ptr<bool> alive = alive_;
  while (handed_over_ < wanted_ && batches_[handed_over_].seq < seq) {
    after_ = batches_[handed_over_].seq;
    on_batch_(std::move(batches_[handed_over_++]));
    if (alive.expired()) return;
  }
}

void PgLoad::end_of_records() {
  if (!problem_.ok()) {
    finish(problem_);
    return;
  }
  const std::weak_ptr<bool> alive = alive_;
  hand_over_below(batches_[wanted_ - 1].seq + 1);
  if (alive.expired()) return;
  if (handed_over_ < batches_.size()) {
    read_records();
  } else if (last_chunk_) {
    finish(Status());
  } else {
    read_headers();
  }
}

}  // namespace lattice::backends
