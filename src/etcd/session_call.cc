#include "etcd/session_call.h"

namespace lattice::etcd {
namespace {

constexpr int64_t session_ttl_seconds = 60;

}  // namespace

std::string queue_prefix(std::string name) { return std::move(name) + "/"; }

std::string queue_key(const std::string& prefix, LeaseId lease) {
  // A negative id is written with a sign, as Go's %x does it.
  bool negative = lease.value < 0;
  uint64_t magnitude = negative ? uint64_t{0} - static_cast<uint64_t>(lease.value)
                                : static_cast<uint64_t>(lease.value);
  std::string digits;
  do {
    digits.insert(digits.begin(), "0123456789abcdef"[magnitude & 15]);
    magnitude >>= 4;
  } while (magnitude != 0);
  return prefix + (negative ? "-" : "") + digits;
}

keyspace::RangeRequest first_created(const std::string& prefix) {
  keyspace::RangeRequest request;
  request.range = {prefix, prefix_end(prefix)};
  request.sort_order = keyspace::SortOrder::ascend;
  request.sort_target = keyspace::SortTarget::create;
  request.limit = 1;
  return request;
}

keyspace::Compare created_at(std::string key, Revision revision) {
  keyspace::Compare compare;
  compare.target = keyspace::CompareTarget::create;
  compare.range.key = std::move(key);
  compare.number = revision.value;
  return compare;
}

SessionCall::~SessionCall() {
  ++services().running_calls;  // what the base counts
  KeyWatch::retire(services().environment, std::move(watch_));
}

void SessionCall::end(const Status& status) {
  if (ended()) return;
  abandon();
  reject(status);
}

void SessionCall::fail(const Status& status) {
  if (ended()) return;
  abandon();
  finish(to_grpc_unmapped(status));
}

void SessionCall::on_gone() {
  KeyWatch::retire(services().environment, std::move(watch_));
  abandon();
}

void SessionCall::open_session(LeaseId lease) {
  if (lease.value != 0) {
    lease_ = lease;
    return on_session();
  }
  changes().lease_grant(LeaseId(0), session_ttl_seconds,
                        answer<SessionCall, replica::LeaseGrantResult>(
                            [](SessionCall& call, replica::LeaseGrantResult& granted) {
                              call.lease_ = granted.id;
                              call.on_session();
                            }));
}

void SessionCall::wait_for_turn(std::string prefix, Revision newest) {
  prefix_ = std::move(prefix);
  newest_ = newest;
  look_for_older();
}

void SessionCall::look_for_older() {
  keyspace::RangeRequest request;
  request.range = {prefix_, prefix_end(prefix_)};
  request.sort_order = keyspace::SortOrder::descend;
  request.sort_target = keyspace::SortTarget::create;
  request.max_create_revision = newest_;
  request.limit = 1;
  tenant().api.range(std::move(request),
                     answer<SessionCall, keyspace::RangeResult>(
                         [](SessionCall& call, keyspace::RangeResult& found) {
                           if (found.kvs.empty()) return call.on_turn();
                           call.watch_deletion(std::string(found.kvs.front()->key()),
                                               found.header_revision + 1);
                         }),
                     caller());
}

void SessionCall::watch_deletion(std::string key, Revision from) {
  replica::WatchCreate create;
  create.range.key = std::move(key);
  create.start_revision = from;
  create.no_put = true;
  create.caller = caller();
  auto again = [this] {
    KeyWatch::retire(services().environment, std::move(watch_));
    look_for_older();
  };
  watch_ = std::make_unique<KeyWatch>(
      [again](Revision, const std::vector<replica::WatchEvent>&) { again(); },
      [this, again](Status status) {
        // What compaction has overtaken can be looked up afresh.
        if (status.error() == Error::compacted) return again();
        KeyWatch::retire(services().environment, std::move(watch_));
        fail(status);
      });
  watch_->start(tenant().api, std::move(create));
}

}  // namespace lattice::etcd
