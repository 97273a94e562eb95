#include "replica/point_reads.h"

#include <utility>

#include "replica/gate.h"

namespace lattice::replica {

void PointReads::add(keyspace::RangeRequest request, Callback<keyspace::RangeResult> done,
                     auth::CallerRef caller) {
  turn_.push_back({std::move(request), std::move(done), std::move(caller)});
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
  if (reads_.meets(needs)) return tell(read, place);
  // It waits, and the place may be gone by then.
  reads_.run(needs, [this, read = std::move(read)](const Status& status) mutable {
    if (!status.ok()) return read.done(status);
    tell(read, nullptr);
  });
}

void PointReads::tell(Read& read, const keyspace::KeyHistory* place) {
  const Status permitted = Gate(state_, state_.auth.visible(), read.caller).check(read.request);
  if (!permitted.ok()) return read.done(permitted);
  read.done(state_.keyspace.range(read.request, place));
}

}  // namespace lattice::replica
