#include "replica/point_reads.h"

#include <utility>

namespace lattice::replica {

void PointReads::add(keyspace::RangeRequest request, Callback<keyspace::RangeResult> done) {
  turn_.push_back({std::move(request), std::move(done)});
  if (turn_.size() > 1) return;
  state_.environment.defer(lifetime_.guard([this] { answer_all(); }));
}

void PointReads::answer_all() {
  // Answering may bring new reads; those are the next turn's.
  answering_.swap(turn_);
  keys_.clear();
  for (const Read& read : answering_) keys_.push_back(read.request.range.key);
  places_.resize(keys_.size());
  state_.keyspace.locate(keys_, places_);
  for (size_t i = 0; i < answering_.size(); ++i) answer(std::move(answering_[i]), places_[i]);
  answering_.clear();
}

void PointReads::answer(Read read, const keyspace::KeyHistory* place) {
  const auto needs =
      read.request.serializable ? ReadQueue::Needs::loaded : ReadQueue::Needs::linearizable;
  if (reads_.meets(needs)) return read.done(state_.keyspace.range(read.request, place));
  // It waits, and the place may be gone by then.
  reads_.run(needs, [this, read = std::move(read)](const Status& status) mutable {
    if (!status.ok()) return read.done(status);
    read.done(state_.keyspace.range(read.request));
  });
}

}  // namespace lattice::replica
