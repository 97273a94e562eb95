#include "replica/takeover_batch.h"

#include <utility>

namespace lattice::replica {

std::shared_ptr<Batch> make_takeover(State& state, const BatchHeader& tip,
                                     const Incarnation& incarnation) {
  auto batch = std::make_shared<Batch>();
  BatchHeader& header = batch->header;
  header.seq = tip.seq + 1;
  header.previous = tip.digest;
  header.epoch = tip.epoch + 1;
  header.incarnation = incarnation;
  header.id = state.random.batch_id();
  header.last_revision = tip.seq == Seq(0) ? state.keyspace.visible_revision() : tip.last_revision;
  header.record_count = 1;
  keyspace::Record record;
  record.kind = keyspace::RecordKind::takeover;
  record.revision = header.last_revision;
  record.number = static_cast<int64_t>(header.epoch.value);
  record.value = Bytes::copy(
      {reinterpret_cast<const char*>(header.incarnation.data()), header.incarnation.size()});
  record.lease = LeaseId(static_cast<int64_t>(state.log.server().system));
  record.version = static_cast<int64_t>(state.log.server().timeline);
  batch->records.push_back(std::move(record));
  return batch;
}

std::shared_ptr<const Batch> make_seal(State& state, const BatchHeader& tip, const Seal& seal) {
  std::shared_ptr<Batch> batch = make_takeover(state, tip, Incarnation{});
  keyspace::Record record;
  record.kind = keyspace::RecordKind::seal;
  record.revision = batch->header.last_revision;
  record.number = seal.routing_epoch;
  record.value = Bytes::copy(seal.target);
  batch->records.push_back(std::move(record));
  batch->header.record_count = static_cast<uint32_t>(batch->records.size());
  batch->header.digest = compute_digest(state.log.id(), batch->header, batch->records);
  return batch;
}

std::optional<Seal> find_seal(const std::vector<keyspace::Record>& records) {
  for (const keyspace::Record& record : records) {
    if (record.kind != keyspace::RecordKind::seal) continue;
    return Seal{std::string(record.value.view()), record.number};
  }
  return std::nullopt;
}

}  // namespace lattice::replica
