// The calls of Api, each sent to the part that answers it.
#include <algorithm>
#include <utility>
#include <variant>

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

void Replica::range(keyspace::RangeRequest request, Callback<keyspace::RangeResult> done) {
  if (Status status = validate(request); !status.ok()) return done(status);
  if (request.range.end.empty()) {
    return point_reads_.add(std::move(request), std::move(done));
  }
  const auto needs =
      request.serializable ? ReadQueue::Needs::loaded : ReadQueue::Needs::linearizable;
  reads_.run(needs, [this, request = std::move(request),
                     done = std::move(done)](const Status& status) mutable {
    if (!status.ok()) return done(status);
    done(state_.keyspace.range(request));
  });
}

void Replica::put(keyspace::PutRequest request, Callback<keyspace::PutResult> done) {
  if (Status status = validate(request); !status.ok()) return done(status);
  writes_.add(PutOperation{std::move(request), std::move(done), {}});
}

void Replica::delete_range(keyspace::DeleteRangeRequest request,
                           Callback<keyspace::DeleteRangeResult> done) {
  if (Status status = validate(request); !status.ok()) return done(status);
  writes_.add(DeleteOperation{std::move(request), std::move(done), {}});
}

void Replica::txn(keyspace::TxnRequest request, Callback<keyspace::TxnResult> done) {
  if (Status status = validate(request, options_.txn_ops_max); !status.ok()) return done(status);
  if (!is_read_only(request)) {
    return writes_.add(TxnOperation{std::move(request), std::move(done), {}});
  }
  const auto needs =
      is_serializable(request) ? ReadQueue::Needs::loaded : ReadQueue::Needs::linearizable;
  reads_.run(needs, [this, request = std::move(request),
                     done = std::move(done)](const Status& status) mutable {
    if (!status.ok()) return done(status);
    done(state_.keyspace.read_txn(request));
  });
}

void Replica::compact(Revision revision, bool physical, Callback<Revision> done) {
  compactor_.compact(revision, physical, std::move(done));
}

void Replica::lease_grant(LeaseId id, int64_t ttl_seconds, Callback<LeaseGrantResult> done) {
  lease_keeper_.grant(id, ttl_seconds, std::move(done));
}

void Replica::lease_revoke(LeaseId id, Callback<Revision> done) {
  lease_keeper_.revoke(id, std::move(done));
}

void Replica::lease_keep_alive(LeaseId id, Callback<LeaseKeepAliveResult> done) {
  lease_keeper_.keep_alive(id, std::move(done));
}

void Replica::lease_time_to_live(LeaseId id, bool keys, Callback<LeaseTimeToLiveResult> done) {
  lease_keeper_.time_to_live(id, keys, std::move(done));
}

void Replica::lease_leases(Callback<LeaseLeasesResult> done) {
  lease_keeper_.leases(std::move(done));
}

void Replica::status(Callback<StatusResult> done) {
  log_->size(lifetime_.guard([this, done = std::move(done)](const Result<LogSize>& size) mutable {
    StatusResult result;
    result.header_revision = applied_revision();
    result.leader = leads();
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

void Replica::members(Callback<std::vector<Member>> done) {
  done(std::vector<Member>{{options_.node, leads(), true}});
}

void Replica::move_leader(std::string, StatusCallback done) { done(Error::not_leader); }

void Replica::serve(PeerRequest, absl::AnyInvocable<void(PeerReply)> done) {
  PeerReply reply;
  reply.answer = Error::not_leader;
  done(std::move(reply));
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
