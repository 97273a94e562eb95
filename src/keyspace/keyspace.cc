#include "keyspace/keyspace.h"

#include <utility>

#include "base/planted.h"
#include "keyspace/impl.h"
#include "keyspace/mutation.h"
#include "keyspace/range.h"
#include "keyspace/txn.h"

namespace lattice::keyspace {

Keyspace::Keyspace() : impl_(std::make_unique<Impl>()) {}
Keyspace::~Keyspace() = default;
Keyspace::Keyspace(Keyspace&&) noexcept = default;
Keyspace& Keyspace::operator=(Keyspace&&) noexcept = default;

Revision Keyspace::visible_revision() const { return impl_->state.visible; }
Revision Keyspace::staged_revision() const { return impl_->state.staged_revision; }
Revision Keyspace::compact_revision() const { return impl_->state.compact; }

void Keyspace::locate(std::span<const std::string_view> keys,
                      std::span<const KeyHistory*> places) const {
  impl_->state.index.locate(keys, places);
}

Result<RangeResult> Keyspace::range(const RangeRequest& request, const KeyHistory* place) const {
  return read_range(impl_->state, request, impl_->state.visible, place);
}

Result<TxnResult> Keyspace::read_txn(const TxnRequest& request) const {
  return run_read_txn(impl_->state, request, impl_->state.visible);
}

Result<PutResult> Keyspace::stage_put(const PutRequest& request, const Stage& stage) {
  // A stand-alone put looks for its lease first, one inside a transaction for its key.
  if (request.lease != LeaseId(0) && !stage.lease_exists(request.lease)) {
    return Error::lease_not_found;
  }
  const CountedTxn counted(impl_->state);
  Mutation mutation(&impl_->state, stage);
  Result<PutResult> result = mutation.put(request);
  mutation.finish();
  return result;
}

Result<DeleteRangeResult> Keyspace::stage_delete_range(const DeleteRangeRequest& request,
                                                       const Stage& stage) {
  const CountedTxn counted(impl_->state);
  Mutation mutation(&impl_->state, stage);
  DeleteRangeResult result = mutation.delete_range(request);
  mutation.finish();
  return result;
}

Result<TxnResult> Keyspace::stage_txn(const TxnRequest& request, const Stage& stage) {
  Mutation mutation(&impl_->state, stage);
  Result<TxnResult> result = run_write_txn(&mutation, request);
  mutation.finish();
  return result;
}

void Keyspace::stage_delete_leased(LeaseId lease, const Stage& stage) {
  const CountedTxn counted(impl_->state);
  Mutation mutation(&impl_->state, stage);
  for (const std::string& key : impl_->state.leased.keys(lease)) mutation.delete_key(key);
  mutation.finish();
}

void Keyspace::commit(Revision revision) {
  State& state = impl_->state;
  auto at = state.staged.begin();
  for (; at != state.staged.end() && (*at)->mod_revision() <= revision; ++at) {
    const int delta = live_delta(**at);
    state.live_visible += delta;
    state.live_staged -= delta;
    state.history.append(std::move(*at));
  }
  state.staged.erase(state.staged.begin(), at);
  state.visible = revision;
}

void Keyspace::rollback() {
  State& state = impl_->state;
  unstage(&state, 0);
  state.live_staged = 0;
  state.staged_revision = state.visible;
}

std::vector<std::string> Keyspace::leased_keys(LeaseId lease) const {
  return impl_->state.leased.keys(lease);
}

void Keyspace::visit_history(Revision from, absl::FunctionRef<bool(const KvRef&)> visit) const {
  impl_->state.history.visit_from(from, impl_->state.compact, visit);
}

KvRef Keyspace::previous(const KvRecord& record) const {
  const bool creation = !record.tombstone() && record.version() == 1;
  if (creation || record.mod_revision() <= impl_->state.compact) return {};
  const Revision at = record.mod_revision() - (planted(Planted::wrong_prev_kv) ? 2 : 1);
  const KvRecord* before = impl_->state.live_at(record.key(), at);
  return before == nullptr ? KvRef() : KvRef::share(before);
}

OperationCounts Keyspace::take_operation_counts() { return std::exchange(impl_->state.counts, {}); }

size_t Keyspace::key_count() const { return static_cast<size_t>(impl_->state.live_visible); }

int64_t Keyspace::staged_key_count() const {
  return impl_->state.live_visible + impl_->state.live_staged;
}

size_t Keyspace::stored_bytes() const { return impl_->state.stored_bytes; }

bool Keyspace::holds(std::string_view key) const {
  const KeyHistory* history = impl_->state.index.find(key);
  return history != nullptr && history->live();
}

size_t Keyspace::memory_bytes() const {
  const State& state = impl_->state;
  return state.version_bytes + state.index.memory_bytes() + state.history.memory_bytes() +
         state.leased.memory_bytes();
}

// ---- Compaction and hashes ----

Status Keyspace::check_compact(Revision revision) const {
  if (revision <= impl_->state.compact) return Error::compacted;
  if (revision > impl_->state.visible) return Error::future_revision;
  return {};
}

void Keyspace::set_compact_revision(Revision revision, bool log_whole) {
  impl_->compaction.start(&impl_->state, revision, log_whole);
}

Keyspace::CompactStep Keyspace::compact_step(size_t versions_max, std::vector<RecordId>* dropped) {
  return impl_->compaction.step(&impl_->state, versions_max, dropped);
}

Result<HashResult> Keyspace::hash_kv(Revision revision) const {
  const State& state = impl_->state;
  if (std::optional<HashResult> kept = impl_->compaction.kept_hash(revision)) {
    kept->header_revision = state.visible;
    return *kept;
  }
  if (revision > state.visible) return Error::future_revision;
  if (revision > Revision(0) && revision < state.compact) return Error::compacted;
  HashResult result;
  result.header_revision = state.visible;
  result.compact_revision = state.compact;
  result.hash_revision = revision <= Revision(0) ? state.visible : revision;
  HashWalk walk(state.compact, result.hash_revision, HashWalk::Kind::request);
  state.history.visit_all([&](const KvRef& version) {
    walk.add(*version);
    return version->mod_revision() <= result.hash_revision;
  });
  result.hash = walk.hash();
  return result;
}

}  // namespace lattice::keyspace
