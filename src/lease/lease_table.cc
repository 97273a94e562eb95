#include "lease/lease_table.h"

#include <algorithm>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "base/planted.h"

namespace lattice::lease {
namespace {

constexpr int64_t checkpoint_interval_seconds = 300;
constexpr int64_t nanoseconds_per_second = 1'000'000'000;

// The longest TTL is nearly all that an Instant can hold, so the sum stops short of never().
Instant after(Instant now, int64_t seconds) {
  const int64_t room = Instant::never().nanoseconds - 1 - now.nanoseconds;
  if (seconds > room / nanoseconds_per_second) return now + Duration(room);
  return now + Duration(seconds * nanoseconds_per_second);
}

struct Lease {
  int64_t ttl_seconds = 0;
  int64_t checkpoint_seconds = 0;   // the remaining TTL that the log knows; 0: the full one
  bool checkpoint_pending = false;  // handed out by checkpoints_due(), not seen in the log yet
  bool granting = false;            // staged
  bool revoking = false;            // staged
  Instant deadline = Instant::never();
  Instant checkpoint_at = Instant::never();

  int64_t remaining_at_takeover() const {
    if (planted(Planted::checkpoints_ignored)) return ttl_seconds;
    return checkpoint_seconds > 0 ? checkpoint_seconds : ttl_seconds;
  }
  LeaseInfo info(LeaseId id, Instant now) const {
    LeaseInfo info;
    info.id = id;
    info.granted_ttl_seconds = ttl_seconds;
    info.remaining_seconds =
        deadline == Instant::never()
            ? remaining_at_takeover()
            : std::max<int64_t>(0, (deadline - now).count() / nanoseconds_per_second);
    return info;
  }
};

// Instants in order, each with the lease it belongs to. Only true deadlines are in it, never().
class Schedule {
 public:
  void add(Instant at, LeaseId id) {
    if (at != Instant::never()) order_.emplace(at, id);
  }
  void remove(Instant at, LeaseId id) { order_.erase({at, id}); }
  void clear() { order_.clear(); }
  Instant first() const { return order_.empty() ? Instant::never() : order_.begin()->first; }
  std::vector<LeaseId> due(Instant now, size_t count_max) const {
    std::vector<LeaseId> ids;
    for (auto at = order_.begin(); at != order_.end() && at->first <= now && ids.size() < count_max;
         ++at) {
      ids.push_back(at->second);
    }
    return ids;
  }

 private:
  absl::btree_set<std::pair<Instant, LeaseId>> order_;
};

}  // namespace

struct LeaseTable::Impl {
  // What a staged change replaced, to undo it.
  struct Undo {
    LeaseId id;
    std::optional<Lease> before;
  };

  absl::flat_hash_map<LeaseId, Lease> leases;
  Schedule deadlines;    // of leases that are not being revoked
  Schedule checkpoints;  // likewise
  std::vector<Undo> staged;
  size_t existing = 0;
  bool leading = false;

  // A lease as clients may see it; null for one that is only staged.
  const Lease* granted(LeaseId id) const {
    auto at = leases.find(id);
    return at == leases.end() || at->second.granting ? nullptr : &at->second;
  }
  static bool counts(const Lease& lease) { return !lease.revoking; }

  void put_off_schedule(LeaseId id, const Lease& lease) {
    deadlines.remove(lease.deadline, id);
    checkpoints.remove(lease.checkpoint_at, id);
  }
  void put_on_schedule(LeaseId id, const Lease& lease) {
    deadlines.add(lease.deadline, id);
    checkpoints.add(lease.checkpoint_at, id);
  }
  void set(LeaseId id, const Lease& lease) {
    erase(id);
    leases[id] = lease;
    if (!counts(lease)) return;
    put_on_schedule(id, lease);
    ++existing;
  }
  void erase(LeaseId id) {
    auto at = leases.find(id);
    if (at == leases.end()) return;
    if (counts(at->second)) {
      put_off_schedule(id, at->second);
      --existing;
    }
    leases.erase(at);
  }
  // Lets a lease run from `now` for `seconds`.
  void start(LeaseId id, Lease* lease, Instant now, int64_t seconds) {
    put_off_schedule(id, *lease);
    lease->deadline = after(now, seconds);
    lease->checkpoint_at = seconds > checkpoint_interval_seconds
                               ? after(now, checkpoint_interval_seconds)
                               : Instant::never();
    put_on_schedule(id, *lease);
  }
  void stage(LeaseId id, const Lease& lease) {
    auto at = leases.find(id);
    staged.push_back({id, at == leases.end() ? std::nullopt : std::optional<Lease>(at->second)});
    set(id, lease);
  }
};

LeaseTable::LeaseTable() : impl_(std::make_unique<Impl>()) {}
LeaseTable::~LeaseTable() = default;
LeaseTable::LeaseTable(LeaseTable&&) noexcept = default;
LeaseTable& LeaseTable::operator=(LeaseTable&&) noexcept = default;

Result<int64_t> LeaseTable::effective_ttl(int64_t requested_seconds) {
  if (requested_seconds > ttl_seconds_max) return Error::lease_ttl_too_large;
  return std::max(requested_seconds, ttl_seconds_min);
}

bool LeaseTable::exists(LeaseId id) const {
  auto at = impl_->leases.find(id);
  return at != impl_->leases.end() && Impl::counts(at->second);
}

size_t LeaseTable::size() const { return impl_->existing; }

Status LeaseTable::stage_grant(LeaseId id, int64_t ttl_seconds) {
  if (exists(id)) return Error::lease_exists;
  Lease lease;
  lease.ttl_seconds = ttl_seconds;
  lease.granting = true;
  impl_->stage(id, lease);
  return {};
}

Status LeaseTable::stage_revoke(LeaseId id) {
  if (!exists(id)) return Error::lease_not_found;
  Lease lease = impl_->leases.find(id)->second;
  lease.revoking = true;
  impl_->stage(id, lease);
  return {};
}

void LeaseTable::commit(Instant now) {
  for (const Impl::Undo& change : impl_->staged) {
    auto at = impl_->leases.find(change.id);
    if (at == impl_->leases.end()) continue;  // granted and revoked in one batch, or twice staged
    Lease& lease = at->second;
    if (lease.revoking) {
      impl_->erase(change.id);
    } else if (lease.granting) {
      lease.granting = false;
      if (impl_->leading) impl_->start(change.id, &lease, now, lease.ttl_seconds);
    }
  }
  impl_->staged.clear();
}

void LeaseTable::rollback() {
  for (auto change = impl_->staged.rbegin(); change != impl_->staged.rend(); ++change) {
    if (change->before.has_value()) {
      impl_->set(change->id, *change->before);
    } else {
      impl_->erase(change->id);
    }
  }
  impl_->staged.clear();
}

void LeaseTable::apply_grant(LeaseId id, int64_t ttl_seconds) {
  Lease lease;
  lease.ttl_seconds = ttl_seconds;
  impl_->set(id, lease);
}

void LeaseTable::apply_revoke(LeaseId id) { impl_->erase(id); }

void LeaseTable::apply_checkpoint(LeaseId id, int64_t remaining_seconds) {
  auto at = impl_->leases.find(id);
  if (at == impl_->leases.end()) return;
  Lease& lease = at->second;
  const bool reset = remaining_seconds <= 0 || remaining_seconds >= lease.ttl_seconds;
  lease.checkpoint_seconds = reset ? 0 : remaining_seconds;
  lease.checkpoint_pending = false;
}

void LeaseTable::take_over(Instant now) {
  impl_->leading = true;
  for (auto& [id, lease] : impl_->leases) {
    lease.checkpoint_pending = false;
    impl_->start(id, &lease, now, lease.remaining_at_takeover());
  }
}

void LeaseTable::step_down() {
  impl_->leading = false;
  impl_->deadlines.clear();
  impl_->checkpoints.clear();
  for (auto& [id, lease] : impl_->leases) {
    lease.deadline = Instant::never();
    lease.checkpoint_at = Instant::never();
    lease.checkpoint_pending = false;
  }
}

std::optional<LeaseTable::Renewal> LeaseTable::renew(LeaseId id, Instant now) {
  if (impl_->granted(id) == nullptr) return std::nullopt;
  Lease& lease = impl_->leases.find(id)->second;
  Renewal renewal;
  renewal.ttl_seconds = lease.ttl_seconds;
  renewal.pending = lease.revoking || lease.deadline <= now;
  if (renewal.pending) return renewal;
  renewal.needs_checkpoint_reset = lease.checkpoint_seconds > 0 || lease.checkpoint_pending;
  if (planted(Planted::checkpoint_not_reset)) renewal.needs_checkpoint_reset = false;
  // The next checkpoint moves away too: a lease that is renewed often enough is never recorded.
  impl_->start(id, &lease, now, lease.ttl_seconds);
  return renewal;
}

std::optional<LeaseInfo> LeaseTable::info(LeaseId id, Instant now) const {
  const Lease* lease = impl_->granted(id);
  if (lease == nullptr) return std::nullopt;
  return lease->info(id, now);
}

std::vector<LeaseInfo> LeaseTable::list(Instant now) const {
  std::vector<std::pair<Instant, LeaseInfo>> found;
  found.reserve(impl_->leases.size());
  for (const auto& [id, lease] : impl_->leases) {
    if (!lease.granting) found.emplace_back(lease.deadline, lease.info(id, now));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.first, a.second.remaining_seconds, a.second.id) <
           std::tuple(b.first, b.second.remaining_seconds, b.second.id);
  });
  std::vector<LeaseInfo> list;
  list.reserve(found.size());
  for (const auto& [deadline, info] : found) list.push_back(info);
  return list;
}

std::vector<LeaseId> LeaseTable::expired(Instant now, size_t count_max) const {
  return impl_->deadlines.due(now, count_max);
}

bool LeaseTable::is_expired(LeaseId id, Instant now) const {
  const Lease* lease = impl_->granted(id);
  return lease != nullptr && !lease->revoking && lease->deadline <= now;
}

Instant LeaseTable::next_deadline() const { return impl_->deadlines.first(); }

std::vector<LeaseTable::Checkpoint> LeaseTable::checkpoints_due(Instant now, size_t count_max) {
  std::vector<Checkpoint> due;
  for (LeaseId id : impl_->checkpoints.due(now, count_max)) {
    Lease& lease = impl_->leases.find(id)->second;
    impl_->checkpoints.remove(lease.checkpoint_at, id);
    // Rounded up, so that a new leader never counts less than what was left.
    const int64_t left = (lease.deadline - now).count();
    const int64_t remaining = (left + nanoseconds_per_second - 1) / nanoseconds_per_second;
    lease.checkpoint_at = remaining > checkpoint_interval_seconds
                              ? after(now, checkpoint_interval_seconds)
                              : Instant::never();
    impl_->checkpoints.add(lease.checkpoint_at, id);
    if (remaining <= 0 || remaining >= lease.ttl_seconds) continue;
    lease.checkpoint_pending = true;
    due.push_back({id, remaining});
  }
  return due;
}

Instant LeaseTable::next_checkpoint() const { return impl_->checkpoints.first(); }

}  // namespace lattice::lease
