#include "replica/remote_api.h"

#include <utility>

#include "replica/remote_watch.h"

namespace lattice::replica {
namespace {

// A caller's callback while it is on the owner's loop. It is called, and destroyed, at home only:
// what it captured belongs there.
template <class Function>
class Homing {
 public:
  Homing(const Api& owner, std::shared_ptr<Mailbox> mailbox, Function done)
      : owner_(owner), mailbox_(std::move(mailbox)), done_(std::move(done)) {}
  Homing(Homing&& other) noexcept
      : owner_(other.owner_),
        mailbox_(std::move(other.mailbox_)),
        done_(std::exchange(other.done_, nullptr)) {}
  Homing& operator=(Homing&&) = delete;
  ~Homing() {
    if (done_) mailbox_->post_home([done = std::move(done_)] {});
  }

  template <class Answer>
  void operator()(Answer answer) {
    auto done = std::exchange(done_, nullptr);
    mailbox_->post_home([done = std::move(done), answer = std::move(answer), home = mailbox_,
                         times = owner_.times()]() mutable {
      home->times = times;
      done(std::move(answer));
      home->times = {};
    });
  }

 private:
  const Api& owner_;
  std::shared_ptr<Mailbox> mailbox_;
  Function done_;
};

}  // namespace

template <auto method, class Done, class... Arguments>
void RemoteApi::relay(Done done, Arguments... arguments) {
  mailbox_->post_to_owner([owner = &owner_, home = Homing(owner_, mailbox_, std::move(done)),
                           ... arguments = std::move(arguments)]() mutable {
    (owner->*method)(std::move(arguments)..., std::move(home));
  });
}

template <auto method, class Done, class... Arguments>
void RemoteApi::relay_for(auth::CallerRef caller, Done done, Arguments... arguments) {
  mailbox_->post_to_owner([owner = &owner_, home = Homing(owner_, mailbox_, std::move(done)),
                           caller = std::move(caller),
                           ... arguments = std::move(arguments)]() mutable {
    (owner->*method)(std::move(arguments)..., std::move(home), std::move(caller));
  });
}

void RemoteApi::range(keyspace::RangeRequest request, Callback<keyspace::RangeResult> done,
                      auth::CallerRef caller) {
  relay_for<&Api::range>(std::move(caller), std::move(done), std::move(request));
}

void RemoteApi::put(keyspace::PutRequest request, Callback<keyspace::PutResult> done,
                    auth::CallerRef caller) {
  relay_for<&Api::put>(std::move(caller), std::move(done), std::move(request));
}

void RemoteApi::delete_range(keyspace::DeleteRangeRequest request,
                             Callback<keyspace::DeleteRangeResult> done, auth::CallerRef caller) {
  relay_for<&Api::delete_range>(std::move(caller), std::move(done), std::move(request));
}

void RemoteApi::txn(keyspace::TxnRequest request, Callback<keyspace::TxnResult> done,
                    auth::CallerRef caller) {
  relay_for<&Api::txn>(std::move(caller), std::move(done), std::move(request));
}

void RemoteApi::compact(Revision revision, bool physical, Callback<Revision> done,
                        auth::CallerRef caller) {
  relay_for<&Api::compact>(std::move(caller), std::move(done), revision, physical);
}

void RemoteApi::lease_grant(LeaseId id, int64_t ttl_seconds, Callback<LeaseGrantResult> done,
                            auth::CallerRef caller) {
  relay_for<&Api::lease_grant>(std::move(caller), std::move(done), id, ttl_seconds);
}

void RemoteApi::lease_revoke(LeaseId id, Callback<Revision> done, auth::CallerRef caller) {
  relay_for<&Api::lease_revoke>(std::move(caller), std::move(done), id);
}

void RemoteApi::lease_keep_alive(LeaseId id, Callback<LeaseKeepAliveResult> done,
                                 auth::CallerRef caller) {
  relay_for<&Api::lease_keep_alive>(std::move(caller), std::move(done), id);
}

void RemoteApi::lease_time_to_live(LeaseId id, bool keys, Callback<LeaseTimeToLiveResult> done,
                                   auth::CallerRef caller) {
  relay_for<&Api::lease_time_to_live>(std::move(caller), std::move(done), id, keys);
}

void RemoteApi::lease_leases(Callback<LeaseLeasesResult> done, auth::CallerRef caller) {
  relay_for<&Api::lease_leases>(std::move(caller), std::move(done));
}

void RemoteApi::auth_change(auth::Change change, Callback<Revision> done, auth::CallerRef caller) {
  relay_for<&Api::auth_change>(std::move(caller), std::move(done), std::move(change));
}

void RemoteApi::auth_query(auth::Query query, Callback<auth::Answer> done, auth::CallerRef caller) {
  relay_for<&Api::auth_query>(std::move(caller), std::move(done), std::move(query));
}

void RemoteApi::alarm(AlarmChange change, Callback<AlarmResult> done, auth::CallerRef caller) {
  relay_for<&Api::alarm>(std::move(caller), std::move(done), change);
}

void RemoteApi::status(Callback<StatusResult> done) { relay<&Api::status>(std::move(done)); }

void RemoteApi::members(Callback<std::vector<Member>> done) {
  relay<&Api::members>(std::move(done));
}

void RemoteApi::move_leader(std::string address, StatusCallback done) {
  relay<&Api::move_leader>(std::move(done), std::move(address));
}

void RemoteApi::hash_kv(Revision revision, Callback<keyspace::HashResult> done) {
  relay<&Api::hash_kv>(std::move(done), revision);
}

void RemoteApi::defragment(StatusCallback done) { relay<&Api::defragment>(std::move(done)); }

std::unique_ptr<WatchStream> RemoteApi::open_watch_stream(WatchSink& sink) {
  return RemoteWatchStream::open(owner_, mailbox_, sink);
}

}  // namespace lattice::replica
