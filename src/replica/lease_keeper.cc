#include "replica/lease_keeper.h"

#include <utility>

#include "base/planted.h"
#include "replica/gate.h"

namespace lattice::replica {
namespace {
constexpr size_t checkpoints_per_batch = 1000;
}  // namespace

void LeaseKeeper::grant(LeaseId id, int64_t ttl_seconds, Sender sender,
                        Callback<LeaseGrantResult> done) {
  auto counted = [this, done = std::move(done)](Result<LeaseGrantResult> result) mutable {
    if (result.ok()) count(1, 0, 0);
    done(std::move(result));
  };
  writes_.add(GrantOperation{{id, ttl_seconds}, std::move(counted), {}}, std::move(sender));
}

void LeaseKeeper::revoke(LeaseId id, Sender sender, Callback<Revision> done) {
  auto counted = [this, done = std::move(done)](Result<Revision> result) mutable {
    if (result.ok()) count(0, 1, 0);
    done(std::move(result));
  };
  writes_.add(RevokeOperation{{id, false}, std::move(counted), {}}, std::move(sender));
}

void LeaseKeeper::keep_alive(LeaseId id, auth::CallerRef caller,
                             Callback<LeaseKeepAliveResult> done) {
  const Instant since = state_.environment.now();
  reads_.run(ReadQueue::Needs::leading, [this, id, since, caller = std::move(caller),
                                         done = std::move(done)](const Status& status) mutable {
    if (!status.ok()) return done(status);
    const Status permitted =
        Gate(state_, state_.auth.visible(), caller).leased(id, auth::Tables::Access::write);
    if (!permitted.ok()) return done(permitted);
    renew(id, since, std::move(done));
  });
}

void LeaseKeeper::renew(LeaseId id, Instant since, Callback<LeaseKeepAliveResult> done) {
  const Revision header = state_.keyspace.visible_revision();
  const auto renewal = state_.leases.renew(id, state_.environment.now());
  if (!renewal) return done(LeaseKeepAliveResult{header, 0});
  if (renewal->pending) {
    state_.observer.on_rare("a renewal waited for its lease's expiry");
    pending_[id].push_back({since, std::move(done)});
    return;
  }
  const LeaseKeepAliveResult result{header, renewal->ttl_seconds};
  if (!renewal->needs_checkpoint_reset) return done(result);
  // A later leader would start from the shorter checkpoint, so the reset is durable before the
  // client relies on it. The caller may renew, as was found; the reset is the leader's own.
  auto logged = [result, done = std::move(done)](const Result<Revision>& appended) mutable {
    if (!appended.ok()) return done(appended.status());
    done(result);
  };
  writes_.add(CheckpointOperation{{{{id, renewal->ttl_seconds}}}, std::move(logged), {}},
              Origin::internal);
}

void LeaseKeeper::time_to_live(LeaseId id, bool keys, auth::CallerRef caller,
                               Callback<LeaseTimeToLiveResult> done) {
  reads_.run(ReadQueue::Needs::settled, [this, id, keys, caller = std::move(caller),
                                         done = std::move(done)](const Status& status) mutable {
    if (!status.ok()) return done(status);
    const Gate gate(state_, state_.auth.visible(), caller);
    const Status permitted = keys ? gate.leased(id, auth::Tables::Access::read) : gate.user();
    if (!permitted.ok()) return done(permitted);
    LeaseTimeToLiveResult result;
    result.header_revision = state_.keyspace.visible_revision();
    if (const auto info = state_.leases.info(id, state_.environment.now())) {
      result.found = true;
      result.info = *info;
      if (keys) result.keys = state_.keyspace.leased_keys(id);
    }
    done(std::move(result));
  });
}

void LeaseKeeper::leases(auth::CallerRef caller, Callback<LeaseLeasesResult> done) {
  reads_.run(ReadQueue::Needs::settled, [this, caller = std::move(caller),
                                         done = std::move(done)](const Status& status) mutable {
    if (!status.ok()) return done(status);
    const Gate gate(state_, state_.auth.visible(), caller);
    if (Status permitted = gate.user(); !permitted.ok()) return done(permitted);
    LeaseLeasesResult result{state_.keyspace.visible_revision(),
                             state_.leases.list(state_.environment.now())};
    // One lease with a key that the caller may not read hides them all, as in etcd.
    for (const lease::LeaseInfo& info :
         gate.open() ? std::vector<lease::LeaseInfo>() : result.leases) {
      const Status permitted = gate.leased(info.id, auth::Tables::Access::read);
      if (!permitted.ok()) return done(permitted);
    }
    done(std::move(result));
  });
}

void LeaseKeeper::on_leading() {
  leading_ = true;
  count(0, 0, 0);
  arm();
}

void LeaseKeeper::on_stepped_down(const Status& status) {
  leading_ = false;
  timer_.reset();
  expiring_.clear();
  checkpointing_ = false;
  for (auto& [id, waiting] : std::exchange(pending_, {})) {
    for (PendingRenewal& renewal : waiting) renewal.done(status);
  }
}

void LeaseKeeper::on_settled() {
  if (!pending_.empty()) retry_pending();
}

void LeaseKeeper::retry_pending() {
  const Instant now = state_.environment.now();
  for (auto& [id, waiting] : std::exchange(pending_, {})) {
    for (PendingRenewal& renewal : waiting) {
      if (now - renewal.since >= state_.options.request_timeout) {
        renewal.done(Status(Error::timeout));
      } else {
        renew(id, renewal.since, std::move(renewal.done));
      }
    }
  }
}

void LeaseKeeper::arm() {
  timer_ = state_.environment.after(state_.options.lease_check_interval, [this] { tick(); });
}

void LeaseKeeper::tick() {
  // Without the fence renewals go unanswered, so no lease may be called expired for want of one.
  if (reads_.meets(ReadQueue::Needs::leading) || planted(Planted::deposed_lease_owner)) {
    const size_t max = state_.options.lease_revokes_per_check;
    for (const LeaseId id : state_.leases.expired(state_.environment.now(), max)) {
      if (expiring_.size() >= max) break;
      if (!expiring_.contains(id)) expire(id);
    }
    checkpoint();
  }
  retry_pending();
  arm();
}

void LeaseKeeper::expire(LeaseId id) {
  expiring_.insert(id);
  writes_.add_internal(RevokeOperation{{id, true},
                                       [this, id](const Result<Revision>& result) {
                                         expiring_.erase(id);
                                         if (result.ok()) count(0, 0, 1);
                                       },
                                       {}});
}

void LeaseKeeper::checkpoint() {
  if (checkpointing_) return;
  auto due = state_.leases.checkpoints_due(state_.environment.now(), checkpoints_per_batch);
  if (due.empty()) return;
  checkpointing_ = true;
  writes_.add_internal(CheckpointOperation{
      {std::move(due)}, [this](const Result<Revision>&) { checkpointing_ = false; }, {}});
}

void LeaseKeeper::count(size_t granted, size_t revoked, size_t expired) {
  state_.observer.on_leases(state_.leases.size(), granted, revoked, expired);
}

}  // namespace lattice::replica
