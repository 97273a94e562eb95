// v3lockpb.Lock: Lock and Unlock.
#include "etcd/methods.h"
#include "etcd/session_call.h"
#include "proto/v3lock.pb.h"

namespace lattice::etcd {
namespace {

class LockCall final : public SessionCall {
 public:
  using SessionCall::SessionCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    v3lockpb::LockRequest request;
    if (!decode_into(message, &request)) return;
    prefix_ = queue_prefix(request.name());
    open_session(LeaseId(request.lease()));
  }

  void on_session() override {
    key_ = queue_key(prefix_, lease());
    keyspace::PutRequest put;
    put.key = key_;
    put.lease = lease();
    keyspace::RangeRequest own;
    own.range.key = key_;
    keyspace::TxnRequest txn;
    txn.compares.push_back(created_at(key_, Revision(0)));
    txn.success.emplace_back(std::move(put));
    txn.success.emplace_back(first_created(prefix_));
    txn.failure.emplace_back(std::move(own));
    txn.failure.emplace_back(first_created(prefix_));
    changes().txn(std::move(txn),
                  answer<LockCall, keyspace::TxnResult>(
                      [](LockCall& call, keyspace::TxnResult& result) { call.enqueued(result); }));
  }

  // The key is in the queue, by this call or by an earlier one with the same lease.
  void enqueued(const keyspace::TxnResult& result) {
    waiting_ = true;
    Revision mine = result.header_revision;
    if (!result.succeeded) {
      mine = std::get<keyspace::RangeResult>(result.responses[0]).kvs.front()->create_revision();
    }
    const auto& owner = std::get<keyspace::RangeResult>(result.responses[1]);
    if (owner.kvs.empty() || owner.kvs.front()->create_revision() == mine) {
      return acquired(result.header_revision);
    }
    wait_for_turn(prefix_, mine - 1);
  }

  // The lease may have run out while the call waited: then the key is gone.
  void on_turn() override {
    keyspace::RangeRequest own;
    own.range.key = key_;
    tenant().api.range(
        std::move(own),
        answer<LockCall, keyspace::RangeResult>([](LockCall& call, keyspace::RangeResult& found) {
          if (!found.kvs.empty()) return call.acquired(found.header_revision);
          call.fail({Error::unknown, "mutex: session is expired"});
        }),
        caller());
  }

  void acquired(Revision header) {
    v3lockpb::LockResponse response;
    fill_header(tenant(), header, response.mutable_header());
    response.set_key(key_);
    reply_message(response);
  }

  void abandon() override {
    if (!waiting_) return;
    waiting_ = false;
    keyspace::DeleteRangeRequest erase;
    erase.range.key = key_;
    changes().delete_range(std::move(erase), [](Result<keyspace::DeleteRangeResult>) {});
  }

  std::string prefix_;
  std::string key_;
  bool waiting_ = false;
};

class UnlockCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    v3lockpb::UnlockRequest request;
    if (!decode_into(message, &request)) return;
    keyspace::DeleteRangeRequest erase;
    erase.range.key = std::move(*request.mutable_key());
    changes().delete_range(
        std::move(erase),
        answer<UnlockCall, keyspace::DeleteRangeResult>([](auto& call, auto& result) {
          call.reply(encode_header_only(call.tenant().header(), result.header_revision));
        }));
  }
  void fail(const Status& status) override { finish(to_grpc_unmapped(status)); }
};

}  // namespace

void register_lock(Services& services, proxy::Router& router) {
  router.add_grpc("/v3lockpb.Lock/Lock", factory_of<LockCall>(services));
  router.add_grpc("/v3lockpb.Lock/Unlock", factory_of<UnlockCall>(services));
}

}  // namespace lattice::etcd
