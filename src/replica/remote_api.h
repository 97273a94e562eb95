// A replica as the other event loops see it: every call becomes a message to the loop that owns the
// replica, and its answer a message back. The mailboxes coalesce wake-ups, so that what one turn
// asks travels together.
//
// Thread: the home loop, which the connections that use it live on; callbacks and sinks are called
//   there. Between two loops messages keep their order.
// Ownership: the owner's Api must outlive every message: stop the replica, let both loops run dry,
//   then destroy. A RemoteApi may be destroyed while calls are under way; they are still answered.
#pragma once

#include <memory>

#include "replica/api.h"
#include "replica/state.h"

namespace lattice::replica {

// How two loops talk. Each function runs its task on the loop that it names, soon and in order.
struct Mailbox {
  using Task = absl::AnyInvocable<void()>;
  // Called on the home loop; the owner's loop may call post_home at the same time.
  absl::AnyInvocable<void(Task)> post_to_owner;
  absl::AnyInvocable<void(Task)> post_home;
  // Home's: Api::times() of the owner, while the answer that came with it is given.
  OperationTimes times = {};
};

class RemoteApi final : public Api {
 public:
  // `environment` is the home loop's, and outlives this.
  RemoteApi(Api& owner, std::shared_ptr<const Published> published, Mailbox mailbox,
            const Environment& environment)
      : owner_(owner),
        published_(std::move(published)),
        mailbox_(std::make_shared<Mailbox>(std::move(mailbox))),
        environment_(environment) {}

  Revision applied_revision() const override {
    return Revision(published_->revision.load(std::memory_order_acquire));
  }
  uint64_t epoch() const override { return published_->epoch.load(std::memory_order_acquire); }
  bool has_leader() const override { return published_->led_at(environment_.now()); }
  OperationTimes times() const override { return mailbox_->times; }

  void range(keyspace::RangeRequest request, Callback<keyspace::RangeResult> done,
             auth::CallerRef caller = {}) override;
  void put(keyspace::PutRequest request, Callback<keyspace::PutResult> done,
           auth::CallerRef caller = {}) override;
  void delete_range(keyspace::DeleteRangeRequest request,
                    Callback<keyspace::DeleteRangeResult> done,
                    auth::CallerRef caller = {}) override;
  void txn(keyspace::TxnRequest request, Callback<keyspace::TxnResult> done,
           auth::CallerRef caller = {}) override;
  void compact(Revision revision, bool physical, Callback<Revision> done,
               auth::CallerRef caller = {}) override;
  void lease_grant(LeaseId id, int64_t ttl_seconds, Callback<LeaseGrantResult> done,
                   auth::CallerRef caller = {}) override;
  void lease_revoke(LeaseId id, Callback<Revision> done, auth::CallerRef caller = {}) override;
  void lease_keep_alive(LeaseId id, Callback<LeaseKeepAliveResult> done,
                        auth::CallerRef caller = {}) override;
  void lease_time_to_live(LeaseId id, bool keys, Callback<LeaseTimeToLiveResult> done,
                          auth::CallerRef caller = {}) override;
  void lease_leases(Callback<LeaseLeasesResult> done, auth::CallerRef caller = {}) override;
  void auth_change(auth::Change change, Callback<Revision> done,
                   auth::CallerRef caller = {}) override;
  void auth_query(auth::Query query, Callback<auth::Answer> done,
                  auth::CallerRef caller = {}) override;
  void status(Callback<StatusResult> done) override;
  void alarm(AlarmChange change, Callback<AlarmResult> done, auth::CallerRef caller = {}) override;
  void members(Callback<std::vector<Member>> done) override;
  void move_leader(std::string address, StatusCallback done) override;
  void hash_kv(Revision revision, Callback<keyspace::HashResult> done) override;
  void defragment(StatusCallback done) override;
  [[nodiscard]] std::unique_ptr<WatchStream> open_watch_stream(WatchSink& sink) override;

 private:
  // Has the owner's `method` called there with these, and its answer given to `done` here.
  template <auto method, class Done, class... Arguments>
  void relay(Done done, Arguments... arguments);
  // One that the caller is judged for.
  template <auto method, class Done, class... Arguments>
  void relay_for(auth::CallerRef caller, Done done, Arguments... arguments);

  Api& owner_;
  std::shared_ptr<const Published> published_;
  std::shared_ptr<Mailbox> mailbox_;
  const Environment& environment_;
};

}  // namespace lattice::replica
