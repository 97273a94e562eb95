#include "keyspace/compaction.h"

#include <algorithm>

#include "base/planted.h"

namespace lattice::keyspace {
namespace {

constexpr size_t kept_hashes_max = 10;

bool survives(const KvRecord& version, Revision compact) {
  if (version.superseded_at() <= compact) return false;
  // A tombstone at the compact revision itself stays: a watch that starts there still sees it.
  if (version.tombstone() && planted(Planted::tombstone_lost_at_compact)) return false;
  return !version.tombstone() || version.mod_revision() == compact;
}

}  // namespace

void Compaction::start(State* state, Revision revision, bool log_whole) {
  previous_ = state->compact;
  log_whole_ = log_whole;
  state->compact = revision;
  before_ = HashWalk(previous_, revision, HashWalk::Kind::compaction);
  survivors_ = HashWalk(revision, revision, HashWalk::Kind::compaction);
  state->history.start_sweep(revision);
}

Keyspace::CompactStep Compaction::step(State* state, size_t versions_max,
                                       std::vector<RecordId>* dropped) {
  if (!state->history.sweeping()) return {true, last_hash_};
  const bool done = state->history.sweep(versions_max, [&](const KvRef& version) {
    before_.add(*version);
    survivors_.add(*version);
    if (survives(*version, state->compact)) return true;
    dropped->push_back(version->id());
    state->pop_oldest(*version);
    return false;
  });
  if (!done) return {};
  last_hash_ = survivors_.hash();
  keep_hash(state->compact);
  return {true, last_hash_};
}

void Compaction::keep_hash(Revision revision) {
  // Compacting at 0 is allowed once; a request for the hash at 0 means the newest one, though.
  if (revision <= Revision(0) || !log_whole_) return;
  HashResult result;
  result.hash = before_.hash();
  result.compact_revision = previous_;
  result.hash_revision = revision;
  kept_.push_back(result);
  if (kept_.size() > kept_hashes_max) kept_.erase(kept_.begin());
}

std::optional<HashResult> Compaction::kept_hash(Revision revision) const {
  auto at = std::find_if(kept_.begin(), kept_.end(),
                         [&](const HashResult& kept) { return kept.hash_revision == revision; });
  if (at == kept_.end()) return std::nullopt;
  return *at;
}

}  // namespace lattice::keyspace
