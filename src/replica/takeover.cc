#include "replica/takeover.h"

#include <string>
#include <utility>

#include "base/big_endian.h"
#include "base/planted.h"

namespace lattice::replica {
namespace {

constexpr int64_t jump = 1'000'000'000;

Bytes position_bytes(const Position& position) {
  std::string bytes;
  append_big_endian(position.seq.value, &bytes);
  bytes.append(reinterpret_cast<const char*>(position.digest.data()), position.digest.size());
  return Bytes::copy(bytes);
}

}  // namespace

std::shared_ptr<Batch> make_takeover(const BatchHeader& tip, Revision revision,
                                     const Incarnation& incarnation, const LogServer& server,
                                     const BatchId& id) {
  auto batch = std::make_shared<Batch>();
  BatchHeader& header = batch->header;
  header.seq = tip.seq + 1;
  header.previous = tip.digest;
  header.epoch = tip.epoch + 1;
  header.incarnation = incarnation;
  header.id = id;
  header.last_revision = revision;
  header.record_count = 1;
  keyspace::Record record;
  record.kind = keyspace::RecordKind::takeover;
  record.revision = header.last_revision;
  record.number = static_cast<int64_t>(header.epoch.value);
  record.value = Bytes::copy(
      {reinterpret_cast<const char*>(header.incarnation.data()), header.incarnation.size()});
  record.lease = LeaseId(static_cast<int64_t>(server.system));
  record.version = static_cast<int64_t>(server.timeline);
  batch->records.push_back(std::move(record));
  return batch;
}

std::shared_ptr<Batch> make_takeover(State& state, const BatchHeader& tip,
                                     const Incarnation& incarnation) {
  const Revision revision =
      tip.seq == Seq(0) ? state.keyspace.visible_revision() : tip.last_revision;
  return make_takeover(tip, revision, incarnation, state.log.server(), state.random.batch_id());
}

Revision add_jump(Batch* takeover, Revision acknowledged, const std::optional<Position>& lost) {
  BatchHeader& header = takeover->header;
  const Revision base =
      planted(Planted::jump_too_short) ? header.last_revision + 1 : acknowledged + jump;
  header.last_revision = base;
  takeover->records.front().revision = base;
  keyspace::Record gone;
  gone.kind = keyspace::RecordKind::history_lost;
  gone.revision = base;
  gone.number = acknowledged.value;
  if (lost) gone.value = position_bytes(*lost);
  takeover->records.push_back(std::move(gone));
  keyspace::Record compact;
  compact.kind = keyspace::RecordKind::compact;
  compact.revision = base;
  compact.number = base.value;
  takeover->records.push_back(std::move(compact));
  header.record_count = static_cast<uint32_t>(takeover->records.size());
  return base;
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
