#include "replica/takeover_batch.h"

#include <utility>

#include "replica/takeover.h"

namespace lattice::replica {

std::shared_ptr<Batch> make_takeover(State& state, const BatchHeader& tip,
                                     const Incarnation& incarnation) {
  const Revision revision =
      tip.seq == Seq(0) ? state.keyspace.visible_revision() : tip.last_revision;
  return make_takeover_batch(tip, revision, incarnation, state.log.server(),
                             state.random.batch_id());
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
