// The calls of Api, each sent to the part that answers it.
#include <algorithm>
#include <utility>
#include <variant>

#include "replica/gate.h"
#include "replica/replica.h"

namespace lattice::replica {
namespace {

// All of its ranges may be answered from whatever state this replica has. One without operations
// asks about the present: it has not said that it would be content with less.
bool is_serializable(const keyspace::TxnRequest& request) {
  const auto serializable = [](const keyspace::RequestOp& op) {
    const auto* range = std::get_if<keyspace::RangeRequest>(&op);
    return range != nullptr && range->serializable;
  };
  if (request.success.empty() && request.failure.empty()) return false;
  return std::ranges::all_of(request.success, serializable) &&
         std::ranges::all_of(request.failure, serializable);
}

}  // namespace

template <class Answer>
Callback<Answer> Replica::follow_leader(PeerCall call, auth::CallerRef caller,
                                        Callback<Answer> done) {
  if (forwarder_ == nullptr) return done;
  return lifetime_.guard([this, call = std::move(call), caller = std::move(caller),
                          done = std::move(done)](Result<Answer> result) mutable {
    // Asking twice is harmless for what this is used for.
    const bool moved =
        result.error() == Error::not_leader || result.error() == Error::leader_changed;
    if (moved && away() != nullptr) {
      return forwarder_->add(std::move(call), std::move(done), std::move(caller));
    }
    done(std::move(result));
  });
}

void Replica::range(keyspace::RangeRequest request, Callback<keyspace::RangeResult> done,
                    auth::CallerRef caller) {
  if (Status status = validate(request); !status.ok()) return done(status);
  if (request.range.end.empty()) {
    return point_reads_.add(std::move(request), std::move(done), std::move(caller));
  }
  const auto needs =
      request.serializable ? ReadQueue::Needs::loaded : ReadQueue::Needs::linearizable;
  reads_.run(needs, [this, request = std::move(request), caller = std::move(caller),
                     done = std::move(done)](const Status& status) mutable {
    if (!status.ok()) return done(status);
    const Status permitted = Gate(state_, state_.auth.visible(), caller).check(request);
    if (!permitted.ok()) return done(permitted);
    done(state_.keyspace.range(request));
  });
}

void Replica::put(keyspace::PutRequest request, Callback<keyspace::PutResult> done,
                  auth::CallerRef caller) {
  if (Status status = validate(request); !status.ok()) return done(status);
  if (Forwarder* leader = away()) {
    return leader->add(std::move(request), std::move(done), std::move(caller));
  }
  writes_.add(PutOperation{std::move(request), std::move(done), {}},
              {Origin::client, std::move(caller)});
}

void Replica::delete_range(keyspace::DeleteRangeRequest request,
                           Callback<keyspace::DeleteRangeResult> done, auth::CallerRef caller) {
  if (Status status = validate(request); !status.ok()) return done(status);
  if (Forwarder* leader = away()) {
    return leader->add(std::move(request), std::move(done), std::move(caller));
  }
  writes_.add(DeleteOperation{std::move(request), std::move(done), {}},
              {Origin::client, std::move(caller)});
}

void Replica::txn(keyspace::TxnRequest request, Callback<keyspace::TxnResult> done,
                  auth::CallerRef caller) {
  if (Status status = validate(request, options_.txn_ops_max); !status.ok()) return done(status);
  if (!is_read_only(request)) {
    if (Forwarder* leader = away()) {
      return leader->add(std::move(request), std::move(done), std::move(caller));
    }
    return writes_.add(TxnOperation{std::move(request), std::move(done), {}},
                       {Origin::client, std::move(caller)});
  }
  const auto needs =
      is_serializable(request) ? ReadQueue::Needs::loaded : ReadQueue::Needs::linearizable;
  reads_.run(needs, [this, request = std::move(request), caller = std::move(caller),
                     done = std::move(done)](const Status& status) mutable {
    if (!status.ok()) return done(status);
    const Status permitted = Gate(state_, state_.auth.visible(), caller).check(request);
    if (!permitted.ok()) return done(permitted);
    done(state_.keyspace.read_txn(request));
  });
}

void Replica::compact(Revision revision, bool physical, Callback<Revision> done,
                      auth::CallerRef caller) {
  if (physical) done = compactor_.when_finished(revision, std::move(done));
  if (Forwarder* leader = away()) {
    return leader->add(CompactCall{revision}, std::move(done), std::move(caller));
  }
  compactor_.compact(revision, {Origin::client, std::move(caller)}, std::move(done));
}

void Replica::lease_grant(LeaseId id, int64_t ttl_seconds, Callback<LeaseGrantResult> done,
                          auth::CallerRef caller) {
  if (Forwarder* leader = away()) {
    return leader->add(LeaseGrantCall{id, ttl_seconds}, std::move(done), std::move(caller));
  }
  lease_keeper_.grant(id, ttl_seconds, {Origin::client, std::move(caller)}, std::move(done));
}

void Replica::lease_revoke(LeaseId id, Callback<Revision> done, auth::CallerRef caller) {
  if (Forwarder* leader = away()) {
    return leader->add(LeaseRevokeCall{id}, std::move(done), std::move(caller));
  }
  lease_keeper_.revoke(id, {Origin::client, std::move(caller)}, std::move(done));
}

void Replica::lease_keep_alive(LeaseId id, Callback<LeaseKeepAliveResult> done,
                               auth::CallerRef caller) {
  const LeaseKeepAliveCall call{id};
  if (Forwarder* leader = away()) return leader->add(call, std::move(done), std::move(caller));
  lease_keeper_.keep_alive(id, caller, follow_leader(call, caller, std::move(done)));
}

void Replica::lease_time_to_live(LeaseId id, bool keys, Callback<LeaseTimeToLiveResult> done,
                                 auth::CallerRef caller) {
  const LeaseTimeToLiveCall call{id, keys};
  if (Forwarder* leader = away()) return leader->add(call, std::move(done), std::move(caller));
  lease_keeper_.time_to_live(id, keys, caller, follow_leader(call, caller, std::move(done)));
}

void Replica::lease_leases(Callback<LeaseLeasesResult> done, auth::CallerRef caller) {
  const LeaseLeasesCall call;
  if (Forwarder* leader = away()) return leader->add(call, std::move(done), std::move(caller));
  lease_keeper_.leases(caller, follow_leader(call, caller, std::move(done)));
}

void Replica::auth_change(auth::Change change, Callback<Revision> done, auth::CallerRef caller) {
  if (Forwarder* leader = away()) {
    return leader->add(std::move(change), std::move(done), std::move(caller));
  }
  writes_.add(AuthOperation{std::move(change), std::move(done), {}},
              {Origin::client, std::move(caller)});
}

void Replica::auth_query(auth::Query query, Callback<auth::Answer> done, auth::CallerRef caller) {
  const auto needs = query.serializable ? ReadQueue::Needs::loaded : ReadQueue::Needs::linearizable;
  reads_.run(needs, [this, query = std::move(query), caller = std::move(caller),
                     done = std::move(done)](const Status& status) mutable {
    if (!status.ok()) return done(status);
    const std::string_view realm = Gate::realm_of(state_);
    Result<auth::Answer> answer = state_.auth.visible().answer(query, caller.get(), realm);
    if (answer.ok()) {
      answer->header_revision = state_.keyspace.visible_revision();
      answer->realm = realm;
    }
    done(std::move(answer));
  });
}

void Replica::status(Callback<StatusResult> done) {
  log_->size(lifetime_.guard([this, done = std::move(done)](const Result<LogSize>& size) mutable {
    StatusResult result;
    result.header_revision = applied_revision();
    result.leader = leads();
    result.leader_node = leadership_.leader_node();
    result.has_leader = leads() ? leadership_.fenced() : leadership_.other_leads();
    result.epoch = epoch();
    result.seq = state_.applied.seq.value;
    if (size.ok()) {
      result.allocated_bytes = size->allocated_bytes;
      result.in_use_bytes = size->in_use_bytes;
    }
    result.alarms = state_.alarms;
    done(std::move(result));
  }));
}

void Replica::alarm(AlarmChange change, Callback<AlarmResult> done, auth::CallerRef caller) {
  if (Forwarder* leader = away()) {
    return leader->add(AlarmCall{change}, std::move(done), std::move(caller));
  }
  writes_.add(AlarmOperation{change, std::move(done), {}}, {Origin::client, std::move(caller)});
}

void Replica::members(Callback<std::vector<Member>> done) {
  std::vector<Member> alone{{options_.node, leads(), true}};
  if (links_.session == nullptr) return done(std::move(alone));
  links_.session->sessions().list(
      lifetime_.guard([this, done = std::move(done), members = std::move(alone)](
                          const Result<std::vector<SessionRow>>& rows) mutable {
        if (!rows.ok()) return done(rows.status());
        for (const SessionRow& row : *rows) {
          // A process that has come back is there twice until its former session is declared dead.
          const auto known = std::ranges::find(members, row.node, &Member::node);
          const bool leading = row.incarnation == leadership_.leader();
          if (known == members.end()) {
            members.push_back({row.node, leading, false});
          } else if (!known->self) {
            known->leads = known->leads || leading;
          }
        }
        done(std::move(members));
      }));
}

void Replica::move_leader(std::string address, StatusCallback done) {
  if (!leads() || stopping_) return done(Error::not_leader);
  if (address == options_.node.address) return done({});
  if (links_.peers == nullptr) return done(Error::bad_leader_transferee);
  leadership_.hand_over(
      [this, address = std::move(address)](const Position& tip) {
        links_.peers->call(address, {TakeOverCall{tip}, options_.request_timeout},
                           [](const Result<PeerReply>&) {});
      },
      std::move(done));
}

void Replica::prefer_leader(std::string address) {
  if (address == options_.node.address) address.clear();
  leadership_.prefer(std::move(address));
}

void Replica::hash_kv(Revision revision, Callback<keyspace::HashResult> done) {
  reads_.run(ReadQueue::Needs::loaded,
             [this, revision, done = std::move(done)](const Status& status) mutable {
               if (!status.ok()) return done(status);
               done(state_.keyspace.hash_kv(revision));
             });
}

void Replica::defragment(StatusCallback done) { log_->defragment(std::move(done)); }

std::unique_ptr<WatchStream> Replica::open_watch_stream(WatchSink& sink) { return hub_.open(sink); }

}  // namespace lattice::replica
