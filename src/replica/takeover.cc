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

std::shared_ptr<Batch> make_takeover_batch(const BatchHeader& tip, Revision revision,
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

}  // namespace lattice::replica
