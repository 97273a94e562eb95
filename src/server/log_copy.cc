#include "server/log_copy.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "replica/takeover.h"

namespace lattice::server {
namespace {

// Of one statement: large enough that its round trip does not count.
constexpr size_t statement_weight = 4 << 20;
constexpr size_t record_weight = 100;
constexpr int census_rounds_max = 100;

bool before(const keyspace::RecordId& a, const keyspace::RecordId& b) {
  return a.seq != b.seq ? a.seq < b.seq : a.index < b.index;
}

}  // namespace

Status LogCopy::copy_tail() {
  status_ = {};
  adding_ = false;
  loaded_ = false;
  return blocking_.wait_for<Status>([this](StatusCallback done) {
    done_ = std::move(done);
    from_.log.load(
        copied_.seq, [this](replica::Log::LoadedBatch batch) { take(std::move(batch)); },
        [this](Status status) {
          loaded_ = true;
          if (status_.ok()) status_ = std::move(status);
          pump();
        });
  });
}

void LogCopy::take(replica::Log::LoadedBatch batch) {
  if (!status_.ok() || seal_) return;
  if (!batch.header) {
    status_ = Status(Error::backend_corrupt, "a batch without its header");
    return;
  }
  if (replica::find_seal(batch.records)) {
    seal_ = batch.header;
    return;
  }
  for (const keyspace::Record& record : batch.records) {
    waiting_weight_ += record_weight + record.key.size() + record.value.size();
  }
  waiting_weight_ += record_weight;
  waiting_.push_back(std::move(batch));
  if (waiting_weight_ >= statement_weight) pump();
}

void LogCopy::pump() {
  if (adding_) return;
  if (!status_.ok() || waiting_.empty()) {
    if (!loaded_) return;
    waiting_.clear();
    waiting_weight_ = 0;
    return std::exchange(done_, nullptr)(status_);
  }
  adding_ = true;
  // Not all of it: what has come in the meantime may be more than one statement should be.
  size_t weight = 0;
  size_t count = 0;
  size_t records = 0;
  while (count < waiting_.size() && weight < statement_weight) {
    const replica::Log::LoadedBatch& batch = waiting_[count++];
    records += batch.records.size();
    weight += record_weight;
    for (const keyspace::Record& record : batch.records) {
      weight += record_weight + record.key.size() + record.value.size();
    }
  }
  const auto end = waiting_.begin() + static_cast<ptrdiff_t>(count);
  std::vector<replica::Log::LoadedBatch> batches(std::make_move_iterator(waiting_.begin()),
                                                 std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  waiting_weight_ -= weight;
  const replica::BatchHeader newest = *batches.back().header;
  to_.moves.add(to_.log_no, std::move(batches), [this, newest, records](const Status& status) {
    adding_ = false;
    if (status.ok()) {
      copied_ = newest;
      records_ += records;
    } else if (status_.ok()) {
      status_ = status;
    }
    pump();
  });
}

Result<backends::Census> LogCopy::census(const End& end) {
  return blocking_.wait_for<Result<backends::Census>>(
      [&](auto done) { end.moves.census(end.log_no, copied_.seq, std::move(done)); });
}

Result<std::vector<keyspace::RecordId>> LogCopy::ids(const End& end, uint64_t part) {
  const Seq first(part * backends::census_batches);
  const Seq last(std::min(copied_.seq.value, first.value + backends::census_batches - 1));
  return blocking_.wait_for<Result<std::vector<keyspace::RecordId>>>(
      [&](auto done) { end.moves.records(end.log_no, first, last, std::move(done)); });
}

// The copy has all that the old log has. So where the numbers are equal, the records are; and one
// statement counts those of one moment, in which the old log is one that loads.
Status LogCopy::drop_deleted(absl::FunctionRef<Status()> announce) {
  for (int round = 0; round < census_rounds_max; ++round) {
    Result<backends::Census> theirs = census(from_);
    if (!theirs.ok()) return theirs.status();
    Result<backends::Census> ours = census(to_);
    if (!ours.ok()) return ours.status();
    if (*ours == *theirs) return {};
    for (const auto& [part, count] : *theirs) {
      if ((*ours)[part] < count) {
        return Status(Error::backend_corrupt, "the copy lacks records of the old log");
      }
    }
    if (Status status = announce(); !status.ok()) return status;
    for (const auto& [part, count] : *ours) {
      const auto found = theirs->find(part);
      if (found != theirs->end() && found->second == count) continue;
      if (Status status = drop_deleted_of(part); !status.ok()) return status;
    }
  }
  return Status(Error::backend_unavailable, "the old log is being compacted; run it again later");
}

Status LogCopy::drop_deleted_of(uint64_t part) {
  Result<std::vector<keyspace::RecordId>> theirs = ids(from_, part);
  if (!theirs.ok()) return theirs.status();
  Result<std::vector<keyspace::RecordId>> ours = ids(to_, part);
  if (!ours.ok()) return ours.status();
  std::vector<keyspace::RecordId> gone;
  std::ranges::set_difference(*ours, *theirs, std::back_inserter(gone), before);
  if (gone.empty()) return {};
  return blocking_.wait_for<Status>(
      [&](auto done) { to_.log.remove(std::move(gone), std::move(done)); });
}

}  // namespace lattice::server
