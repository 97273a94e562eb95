// v3electionpb.Election/Observe: the current leader's key-value, then each change of it, then the
// next leader's.
#include "etcd/key_watch.h"
#include "etcd/methods.h"
#include "etcd/session_call.h"
#include "etcd/stream_call.h"
#include "proto/v3election.pb.h"

namespace lattice::etcd {
namespace {

class ObserveCall final : public StreamCall {
 public:
  using StreamCall::StreamCall;
  ~ObserveCall() override { forget_watch(); }

 private:
  void on_request(std::string_view message) override {
    if (!prefix_.empty()) return;
    v3electionpb::LeaderRequest request;
    if (!decode_into(message, &request)) return;
    prefix_ = queue_prefix(request.name());
    find_leader();
  }
  void on_close() override { forget_watch(); }

  void find_leader() {
    tenant().api.range(first_created(prefix_),
                       answer<ObserveCall, keyspace::RangeResult>(
                           [](ObserveCall& call, keyspace::RangeResult& found) {
                             if (found.kvs.empty()) {
                               return call.await_leader(found.header_revision + 1);
                             }
                             call.follow(found.header_revision, found.kvs.front());
                           }),
                       caller());
  }

  // Nobody leads: the first key that appears is the next leader.
  void await_leader(Revision from) {
    watch({prefix_, prefix_end(prefix_)}, from,
          [this](Revision, const std::vector<replica::WatchEvent>& events) {
            for (const replica::WatchEvent& event : events) {
              if (event.kv->tombstone()) continue;
              forget_watch();
              return follow(event.kv->mod_revision(), event.kv);
            }
          });
  }

  // Tells of this leader and of what it proclaims until its key is deleted.
  void follow(Revision seen, const keyspace::KvRef& leader) {
    tell(seen, leader);
    watch({std::string(leader->key()), {}}, seen + 1,
          [this](Revision, const std::vector<replica::WatchEvent>& events) {
            for (const replica::WatchEvent& event : events) {
              if (ended()) return;
              if (event.kv->tombstone()) {
                forget_watch();
                return find_leader();
              }
              tell(event.kv->mod_revision(), event.kv);
            }
          });
  }

  void watch(keyspace::KeyRange range, Revision from, KeyWatch::OnEvents on_events) {
    if (ended()) return;
    replica::WatchCreate create;
    create.range = std::move(range);
    create.start_revision = from;
    create.caller = caller();
    watch_ = std::make_unique<KeyWatch>(std::move(on_events),
                                        [this](Status status) { lost(std::move(status)); });
    watch_->start(tenant().api, std::move(create));
  }

  void lost(Status status) {
    forget_watch();
    if (status.error() == Error::compacted) return find_leader();
    finish(status);
  }

  void tell(Revision header, const keyspace::KvRef& leader) {
    keyspace::PutResult same;  // as LeaderResponse: header 1, key-value 2
    same.header_revision = header;
    same.prev = leader;
    send(encode(tenant().header(), same));
  }

  void forget_watch() { KeyWatch::retire(services().environment, std::move(watch_)); }

  std::string prefix_;
  std::unique_ptr<KeyWatch> watch_;
};

}  // namespace

void register_election_observe(Services& services, proxy::Router& router) {
  router.add_grpc("/v3electionpb.Election/Observe", factory_of<ObserveCall>(services));
}

}  // namespace lattice::etcd
