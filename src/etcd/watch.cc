// Watch.Watch: the stream of requests goes to the replica's WatchStream, what that reports goes to
// the client. Order is kept by construction: both directions are plain calls on one loop.
//
// Bounded memory: the replica stops feeding a stream that has stream_bytes_max undelivered; credit
// is given back as the transport reports bytes gone.
#include <algorithm>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "etcd/error_table.h"
#include "etcd/methods.h"
#include "etcd/overload.h"
#include "etcd/stream_call.h"
#include "etcd/watch_encoder.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

// etcd fragments from its request limit plus the gRPC overhead allowance on.
constexpr size_t grpc_overhead_bytes = 512 << 10;

constexpr std::string_view no_place = "lattice: the tenant's limit of watches is reached";
constexpr std::string_view overloaded =
    "rpc error: code = ResourceExhausted desc = etcdserver: too many requests";

std::string_view refusal_text(replica::WatchRefusal refusal) {
  switch (refusal) {
    case replica::WatchRefusal::none:
      return {};
    case replica::WatchRefusal::compacted:
      return "etcdserver: mvcc: required revision has been compacted";
    case replica::WatchRefusal::empty_range:
      return "mvcc: watcher range is empty";
    case replica::WatchRefusal::duplicate_id:
      return "mvcc: duplicate watch ID provided on the WatchStream";
    // The printed status of gRPC for Go, as etcd's server puts it here.
    case replica::WatchRefusal::permission_denied:
      return "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
    case replica::WatchRefusal::user_empty:
      return "rpc error: code = InvalidArgument desc = etcdserver: user name is empty";
    case replica::WatchRefusal::invalid_auth_token:
      return "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token";
    case replica::WatchRefusal::auth_old_revision:
      return "rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old";
    case replica::WatchRefusal::not_linearizable:
      return "rpc error: code = Unavailable desc = linearizability unavailable";
  }
  return {};
}

class WatchCall final : public StreamCall, public replica::WatchSink {
 public:
  // What all watch streams of a loop share.
  struct Shared {
    WatchEncoder encoder;
    TurnLag lag;  // of new watches
  };
  WatchCall(Services& services, proxy::ServerStream& stream, Shared& shared)
      : StreamCall(services, stream), encoder_(shared.encoder), lag_(shared.lag) {}

  void on_sent(size_t bytes) override {
    sent_ += bytes;
    size_t credit = 0;
    while (!unsent_.empty() && (unsent_.front().message_bytes <= sent_ || nothing_pending())) {
      sent_ -= std::min(sent_, unsent_.front().message_bytes);
      credit += unsent_.front().credit;
      unsent_.pop_front();
    }
    if (unsent_.empty()) sent_ = 0;
    if (credit > 0) give_back(credit);
  }

  // ---- WatchSink ----
  void on_created(WatchId id, Revision header, replica::WatchRefusal refusal) override {
    WatchMessage message{.revision = header, .id = id, .created = true};
    const std::string_view no_room = asked_.front();
    const bool placed = no_room.empty();
    asked_.pop_front();
    std::optional<keyspace::KeyRange> range;
    if (!audited_ranges_.empty()) {
      range = std::move(audited_ranges_.front());
      audited_ranges_.pop_front();
    }
    if (refusal != replica::WatchRefusal::none) {
      message.canceled = true;
      message.cancel_reason = placed ? refusal_text(refusal) : no_room;
      if (range) audit_watch(placed ? refusal : replica::WatchRefusal::none, no_room, *range);
      if (placed) tenant().gate.close_watches(1);
    } else {
      ++places_;
    }
    emit(message);
  }
  void on_events(WatchId id, Revision header, bool fragment, replica::WatchEvents events) override {
    size_t credit = replica::encoded_size(*events);
    size_t fragment_bytes = services().limits.request_bytes_max + grpc_overhead_bytes;
    encoder_.encode(tenant().header(), {id, header, fragment, events}, fragment_bytes,
                    [&](ByteChain message) { queue(std::move(message), 0); });
    if (!unsent_.empty()) unsent_.back().credit = credit;
  }
  void on_progress(WatchId id, Revision header) override { emit({.revision = header, .id = id}); }
  void on_compacted(WatchId id, Revision compact_revision) override {
    // It is over, but known until the client cancels it.
    compacted_.insert(id);
    give_up_place();
    emit({.revision = Revision(0),
          .id = id,
          .canceled = true,
          .compact_revision = compact_revision});
  }
  void on_canceled(WatchId id, Revision header) override {
    if (compacted_.erase(id) == 0) give_up_place();
    emit({.revision = header, .id = id, .canceled = true});
  }
  void on_closed(Status status) override {
    // To clientv3 "no leader" on a watch stream is final; any other Unavailable makes it resume
    // elsewhere. Only a client that asked with `hasleader` is told so.
    if (status.error() == Error::no_leader && stream().metadata("hasleader") != "true") {
      status = Error::leader_changed;
    }
    finish(status);
  }

 private:
  void on_request(std::string_view bytes) override {
    note_use();
    etcdserverpb::WatchRequest request;
    if (!decode_into(bytes, &request)) return;
    if (watches_ == nullptr) watches_ = tenant().api.open_watch_stream(*this);
    switch (request.request_union_case()) {
      case etcdserverpb::WatchRequest::kCreateRequest:
        return create(request.mutable_create_request());
      case etcdserverpb::WatchRequest::kCancelRequest:
        return watches_->cancel(WatchId(request.cancel_request().watch_id()));
      case etcdserverpb::WatchRequest::kProgressRequest:
        return watches_->request_progress();
      case etcdserverpb::WatchRequest::REQUEST_UNION_NOT_SET:
        return;  // etcd ignores it, too
    }
  }

  void create(etcdserverpb::WatchCreateRequest* request) {
    replica::WatchCreate create;
    create.range = {std::move(*request->mutable_key()), std::move(*request->mutable_range_end())};
    create.start_revision = Revision(request->start_revision());
    create.id = WatchId(request->watch_id());
    create.prev_kv = request->prev_kv();
    create.progress_notify = request->progress_notify();
    create.fragment = request->fragment();
    for (int filter : request->filters()) {
      if (filter == etcdserverpb::WatchCreateRequest::NOPUT) create.no_put = true;
      if (filter == etcdserverpb::WatchCreateRequest::NODELETE) create.no_delete = true;
    }
    create.caller = caller();
    if (services().audit != nullptr) audited_ranges_.push_back(create.range);
    // The replica refuses it then, so that the answers keep the order of the requests.
    asked_.push_back(find_room());
    if (!asked_.back().empty()) create.start_revision = Revision(-1);
    watches_->create(std::move(create));
  }

  // Why one more watch has no place; empty: it has one.
  std::string_view find_room() {
    if (shed(services(), stream(), Sheddable::watch, lag_) > Duration{}) return overloaded;
    return tenant().gate.open_watch() ? std::string_view() : no_place;
  }

  // A watch was refused; `why` is `none` if there was no room for it.
  void audit_watch(replica::WatchRefusal why, std::string_view no_room,
                   const keyspace::KeyRange& range) {
    using Refusal = replica::WatchRefusal;
    const bool judged = why == Refusal::permission_denied || why == Refusal::user_empty ||
                        why == Refusal::invalid_auth_token || why == Refusal::auth_old_revision;
    if (!judged && why != Refusal::none) return;
    const auto code = !judged                              ? proxy::GrpcCode::resource_exhausted
                      : why == Refusal::invalid_auth_token ? proxy::GrpcCode::unauthenticated
                      : why == Refusal::permission_denied  ? proxy::GrpcCode::permission_denied
                                                           : proxy::GrpcCode::invalid_argument;
    audit_refusal({code, std::string(judged ? refusal_text(why) : no_room)}, range);
  }

  void on_close() override {
    watches_.reset();
    credit_timer_.reset();
    idle_timer_.reset();
    if (admitted())
      tenant().gate.close_watches(places_ + std::ranges::count(asked_, std::string_view()));
  }

  void emit(const WatchMessage& message) { queue(encode(tenant().header(), message), 0); }

  void queue(ByteChain message, size_t credit) {
    if (ended()) return;
    note_use();
    unsent_.push_back({message.size(), credit});
    send(std::move(message));
  }
  // A tenant that owes bytes gets its next events when it has earned them.
  void give_back(size_t credit) {
    credit_ += credit;
    if (watches_ == nullptr || credit_timer_ != nullptr) return;
    const Gate& gate = tenant().gate;
    const Duration debt = gate.guarded() ? gate.debt(services().environment.now()) : Duration{};
    if (debt == Duration{}) return watches_->consumed(std::exchange(credit_, 0));
    credit_timer_ = services().environment.after(debt, [this] {
      credit_timer_.reset();
      give_back(0);
    });
  }
  // Whoever looks at it must not find it idle. One timer for a stream's life: it is late, and looks
  // again.
  void note_use() {
    if (services().limits.watch_idle_max == Duration{}) return;
    used_at_ = services().environment.now();
    if (idle_timer_ == nullptr) look_for_use(services().limits.watch_idle_max);
  }
  void look_for_use(Duration delay) {
    idle_timer_ = services().environment.after(delay, [this] {
      const Duration left =
          services().limits.watch_idle_max - (services().environment.now() - used_at_);
      if (left > Duration{}) return look_for_use(left);
      refuse({proxy::GrpcCode::unavailable, "lattice: the watch stream was idle for too long"});
    });
  }
  void give_up_place() {
    --places_;
    tenant().gate.close_watches(1);
  }
  bool nothing_pending() { return stream().pending_bytes() == 0; }

  struct Unsent {
    size_t message_bytes;
    size_t credit;  // what the replica counts for it
  };
  WatchEncoder& encoder_;
  TurnLag& lag_;
  std::unique_ptr<replica::WatchStream> watches_;
  std::deque<Unsent> unsent_;
  size_t sent_ = 0;    // of the messages in unsent_
  size_t credit_ = 0;  // to be given back to the replica
  std::unique_ptr<replica::Timer> credit_timer_;
  Instant used_at_;  // where idle streams end
  std::unique_ptr<replica::Timer> idle_timer_;
  // Creations that are not answered yet, and why each has no place; empty: it has one.
  std::deque<std::string_view> asked_;
  std::deque<keyspace::KeyRange> audited_ranges_;  // of the same, where refusals are told
  int64_t places_ = 0;                             // of watches that are there
  absl::flat_hash_set<WatchId> compacted_;
};

}  // namespace

void register_watch(Services& services, proxy::Router& router) {
  auto shared = std::make_shared<WatchCall::Shared>();
  router.add_grpc("/etcdserverpb.Watch/Watch",
                  [&services, shared](proxy::ServerStream& stream) -> std::unique_ptr<proxy::Call> {
                    return std::make_unique<WatchCall>(services, stream, *shared);
                  });
}

}  // namespace lattice::etcd
