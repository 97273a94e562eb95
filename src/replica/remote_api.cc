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
  Homing(std::shared_ptr<Mailbox> mailbox, Function done)
      : mailbox_(std::move(mailbox)), done_(std::move(done)) {}
  Homing(Homing&& other) noexcept
      : mailbox_(std::move(other.mailbox_)), done_(std::exchange(other.done_, nullptr)) {}
  Homing& operator=(Homing&&) = delete;
  ~Homing() {
    if (done_) mailbox_->post_home([done = std::move(done_)] {});
  }

  template <class Answer>
  void operator()(Answer answer) {
    auto done = std::exchange(done_, nullptr);
    mailbox_->post_home([done = std::move(done), answer = std::move(answer)]() mutable {
      done(std::move(answer));
    });
  }

 private:
  std::shared_ptr<Mailbox> mailbox_;
  Function done_;
};

}  // namespace

template <class Call>
void RemoteApi::ask(Call call) {
  mailbox_->post_to_owner([owner = &owner_, call = std::move(call)]() mutable { call(*owner); });
}

void RemoteApi::range(keyspace::RangeRequest request, Callback<keyspace::RangeResult> done,
                      auth::CallerRef caller) {
  ask([caller = std::move(caller), request = std::move(request),
       home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.range(std::move(request), std::move(home), std::move(caller));
  });
}

void RemoteApi::put(keyspace::PutRequest request, Callback<keyspace::PutResult> done,
                    auth::CallerRef caller) {
  ask([caller = std::move(caller), request = std::move(request),
       home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.put(std::move(request), std::move(home), std::move(caller));
  });
}

void RemoteApi::delete_range(keyspace::DeleteRangeRequest request,
                             Callback<keyspace::DeleteRangeResult> done, auth::CallerRef caller) {
  ask([caller = std::move(caller), request = std::move(request),
       home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.delete_range(std::move(request), std::move(home), std::move(caller));
  });
}

void RemoteApi::txn(keyspace::TxnRequest request, Callback<keyspace::TxnResult> done,
                    auth::CallerRef caller) {
  ask([caller = std::move(caller), request = std::move(request),
       home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.txn(std::move(request), std::move(home), std::move(caller));
  });
}

void RemoteApi::compact(Revision revision, bool physical, Callback<Revision> done,
                        auth::CallerRef caller) {
  ask([caller = std::move(caller), revision, physical,
       home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.compact(revision, physical, std::move(home), std::move(caller));
  });
}

void RemoteApi::lease_grant(LeaseId id, int64_t ttl_seconds, Callback<LeaseGrantResult> done,
                            auth::CallerRef caller) {
  ask([caller = std::move(caller), id, ttl_seconds,
       home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.lease_grant(id, ttl_seconds, std::move(home), std::move(caller));
  });
}

void RemoteApi::lease_revoke(LeaseId id, Callback<Revision> done, auth::CallerRef caller) {
  ask([caller = std::move(caller), id, home = Homing(mailbox_, std::move(done))](
          Api& owner) mutable { owner.lease_revoke(id, std::move(home), std::move(caller)); });
}

void RemoteApi::lease_keep_alive(LeaseId id, Callback<LeaseKeepAliveResult> done,
                                 auth::CallerRef caller) {
  ask([caller = std::move(caller), id, home = Homing(mailbox_, std::move(done))](
          Api& owner) mutable { owner.lease_keep_alive(id, std::move(home), std::move(caller)); });
}

void RemoteApi::lease_time_to_live(LeaseId id, bool keys, Callback<LeaseTimeToLiveResult> done,
                                   auth::CallerRef caller) {
  ask([caller = std::move(caller), id, keys,
       home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.lease_time_to_live(id, keys, std::move(home), std::move(caller));
  });
}

void RemoteApi::lease_leases(Callback<LeaseLeasesResult> done, auth::CallerRef caller) {
  ask([caller = std::move(caller), home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.lease_leases(std::move(home), std::move(caller));
  });
}

void RemoteApi::auth_change(auth::Change change, Callback<Revision> done, auth::CallerRef caller) {
  ask([caller = std::move(caller), change = std::move(change),
       home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.auth_change(std::move(change), std::move(home), std::move(caller));
  });
}

void RemoteApi::auth_query(auth::Query query, Callback<auth::Answer> done, auth::CallerRef caller) {
  ask([caller = std::move(caller), query = std::move(query),
       home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.auth_query(std::move(query), std::move(home), std::move(caller));
  });
}

void RemoteApi::status(Callback<StatusResult> done) {
  ask([home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.status(std::move(home));
  });
}

void RemoteApi::alarm(AlarmChange change, Callback<AlarmResult> done, auth::CallerRef caller) {
  ask([caller = std::move(caller), change, home = Homing(mailbox_, std::move(done))](
          Api& owner) mutable { owner.alarm(change, std::move(home), std::move(caller)); });
}

void RemoteApi::members(Callback<std::vector<Member>> done) {
  ask([home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.members(std::move(home));
  });
}

void RemoteApi::move_leader(std::string address, StatusCallback done) {
  ask([address = std::move(address), home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.move_leader(std::move(address), std::move(home));
  });
}

void RemoteApi::hash_kv(Revision revision, Callback<keyspace::HashResult> done) {
  ask([revision, home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.hash_kv(revision, std::move(home));
  });
}

void RemoteApi::defragment(StatusCallback done) {
  ask([home = Homing(mailbox_, std::move(done))](Api& owner) mutable {
    owner.defragment(std::move(home));
  });
}

std::unique_ptr<WatchStream> RemoteApi::open_watch_stream(WatchSink& sink) {
  return RemoteWatchStream::open(owner_, mailbox_, sink);
}

}  // namespace lattice::replica
