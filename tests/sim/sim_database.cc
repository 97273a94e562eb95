#include "sim/sim_database.h"

#include "base/planted.h"

namespace lattice::sim {

bool SimDatabase::insert(const std::shared_ptr<const replica::Batch>& batch) {
  const replica::BatchHeader& header = batch->header;
  const uint64_t seq = header.seq.value;
  const bool follows = rows_.empty()
                           ? seq == 1 && header.previous == Digest{}
                           : rows_.rbegin()->first == seq - 1 &&
                                 (rows_.rbegin()->second.header.digest == header.previous ||
                                  planted(Planted::append_ignores_digest));
  if (!follows) return false;
  Row row;
  row.header = header;
  for (uint32_t i = 0; i < batch->records.size(); ++i) row.records.emplace(i, batch->records[i]);
  rows_.emplace(seq, std::move(row));
  truth_[seq] = {batch, world_.now()};
  world_.mix(seq);
  return true;
}

size_t SimDatabase::fail_over() {
  ++server_;
  standby_gone = false;
  size_t lost = 0;
  while (!rows_.empty() && !rows_.rbegin()->second.durable) {
    truth_.erase(rows_.rbegin()->first);
    rows_.erase(std::prev(rows_.end()));
    ++lost;
  }
  return lost;
}

void SimDatabase::fail_over_losing(size_t rows) {
  ++server_;
  for (; rows > 0 && !rows_.empty(); --rows) {
    truth_.erase(rows_.rbegin()->first);
    rows_.erase(std::prev(rows_.end()));
  }
}

void SimDatabase::conceal(size_t rows) {
  for (; rows > 0 && !rows_.empty(); --rows) {
    concealed_.insert(rows_.extract(std::prev(rows_.end())));
  }
}

void SimDatabase::reveal() { rows_.merge(concealed_); }

void SimDatabase::remove(const std::vector<keyspace::RecordId>& records) {
  for (const keyspace::RecordId& record : records) {
    const auto at = rows_.find(record.seq.value);
    if (at != rows_.end()) at->second.records.erase(record.index);
  }
  if (auto once = std::exchange(on_removal, nullptr)) once();
}

void SimDatabase::trim(Seq below) {
  for (auto at = rows_.begin(); at != rows_.end() && at->first < below.value;) {
    const bool newest = std::next(at) == rows_.end();
    at = at->second.records.empty() && !newest ? rows_.erase(at) : std::next(at);
  }
}

}  // namespace lattice::sim
