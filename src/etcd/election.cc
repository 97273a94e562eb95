// v3electionpb.Election: Campaign, Proclaim, Leader, Resign. (Observe: election_observe.cc.)
#include "etcd/methods.h"
#include "etcd/session_call.h"
#include "proto/v3election.pb.h"

namespace lattice::etcd {
namespace {

keyspace::RequestOp put_of(std::string key, std::string value, LeaseId lease) {
  keyspace::PutRequest put;
  put.key = std::move(key);
  put.value = std::move(value);
  put.lease = lease;
  return put;
}

// Proclaims: replaces the value of a leader's key if it is still that leader's.
keyspace::TxnRequest proclaim_txn(const std::string& key, Revision rev, std::string value,
                                  LeaseId lease) {
  keyspace::TxnRequest txn;
  txn.compares.push_back(created_at(key, rev));
  txn.success.push_back(put_of(key, std::move(value), lease));
  return txn;
}

keyspace::TxnRequest resign_txn(const std::string& key, Revision rev) {
  keyspace::DeleteRangeRequest erase;
  erase.range.key = key;
  keyspace::TxnRequest txn;
  txn.compares.push_back(created_at(key, rev));
  txn.success.emplace_back(std::move(erase));
  return txn;
}

Status not_leader() { return {Error::unknown, "election: not leader"}; }
Status no_leader_key() { return {Error::unknown, "\"leader\" field must be provided"}; }

class CampaignCall final : public SessionCall {
 public:
  using SessionCall::SessionCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    if (!decode_into(message, &request_)) return;
    prefix_ = queue_prefix(request_.name());
    open_session(LeaseId(request_.lease()));
  }

  void on_session() override {
    key_ = queue_key(prefix_, lease());
    keyspace::RangeRequest own;
    own.range.key = key_;
    keyspace::TxnRequest txn;
    txn.compares.push_back(created_at(key_, Revision(0)));
    txn.success.push_back(put_of(key_, request_.value(), lease()));
    txn.failure.emplace_back(std::move(own));
    changes().txn(std::move(txn), answer<CampaignCall, keyspace::TxnResult>(
                                      [](CampaignCall& call, keyspace::TxnResult& result) {
                                        call.enqueued(result);
                                      }));
  }

  void enqueued(const keyspace::TxnResult& result) {
    waiting_ = true;
    header_ = rev_ = result.header_revision;
    if (result.succeeded) return wait_for_turn(prefix_, rev_ - 1);
    const auto& found = std::get<keyspace::RangeResult>(result.responses[0]);
    rev_ = found.kvs.front()->create_revision();
    if (found.kvs.front()->value() == request_.value()) return wait_for_turn(prefix_, rev_ - 1);
    // The same session campaigns again with another value.
    auto proclaimed = [](CampaignCall& call, keyspace::TxnResult& answered) {
      if (!answered.succeeded) return call.fail(not_leader());
      call.wait_for_turn(call.prefix_, call.rev_ - 1);
    };
    changes().txn(proclaim_txn(key_, rev_, request_.value(), lease()),
                  answer<CampaignCall, keyspace::TxnResult>(proclaimed));
  }

  void on_turn() override {
    v3electionpb::CampaignResponse response;
    fill_header(tenant(), header_, response.mutable_header());
    v3electionpb::LeaderKey* leader = response.mutable_leader();
    leader->set_name(request_.name());
    leader->set_key(key_);
    leader->set_rev(rev_.value);
    leader->set_lease(lease().value);
    reply_message(response);
  }

  void abandon() override {
    if (!waiting_) return;
    waiting_ = false;
    changes().txn(resign_txn(key_, rev_), [](Result<keyspace::TxnResult>) {});
  }

  v3electionpb::CampaignRequest request_;
  std::string prefix_;
  std::string key_;
  Revision rev_;
  Revision header_;
  bool waiting_ = false;
};

class ProclaimCall final : public SessionCall {
 public:
  using SessionCall::SessionCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    if (!decode_into(message, &request_)) return;
    if (!request_.has_leader()) return fail(no_leader_key());
    open_session(LeaseId(request_.leader().lease()));
  }

  void on_session() override {
    auto proclaimed = [](ProclaimCall& call, keyspace::TxnResult& result) {
      if (!result.succeeded) return call.fail(not_leader());
      call.reply(encode_header_only(call.tenant().header(), result.header_revision));
    };
    changes().txn(proclaim_txn(request_.leader().key(), Revision(request_.leader().rev()),
                               request_.value(), lease()),
                  answer<ProclaimCall, keyspace::TxnResult>(proclaimed));
  }

  v3electionpb::ProclaimRequest request_;
};

class ResignCall final : public SessionCall {
 public:
  using SessionCall::SessionCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    v3electionpb::ResignRequest request;
    if (!decode_into(message, &request)) return;
    if (!request.has_leader()) return fail(no_leader_key());
    // A stale key changes nothing and is no error (etcd-v3.md 1.9).
    changes().txn(resign_txn(request.leader().key(), Revision(request.leader().rev())),
                  answer<ResignCall, keyspace::TxnResult>([](auto& call, auto& result) {
                    call.reply(encode_header_only(call.tenant().header(), result.header_revision));
                  }));
  }
};

class LeaderCall final : public SessionCall {
 public:
  using SessionCall::SessionCall;

 private:
  void handle(Tenant& tenant, std::string_view message) override {
    v3electionpb::LeaderRequest request;
    if (!decode_into(message, &request)) return;
    tenant.api.range(
        first_created(queue_prefix(request.name())),
        answer<LeaderCall, keyspace::RangeResult>(
            [](LeaderCall& call, keyspace::RangeResult& result) { call.respond(result); }),
        caller());
  }

  void respond(const keyspace::RangeResult& result) {
    if (result.kvs.empty()) return fail({Error::unknown, "election: no leader"});
    // LeaderResponse and PutResponse agree field by field: header 1, key-value 2.
    keyspace::PutResult same;
    same.header_revision = result.header_revision;
    same.prev = result.kvs.front();
    reply(encode(tenant().header(), same));
  }
};

}  // namespace

void register_election(Services& services, proxy::Router& router) {
  router.add_grpc("/v3electionpb.Election/Campaign", factory_of<CampaignCall>(services));
  router.add_grpc("/v3electionpb.Election/Proclaim", factory_of<ProclaimCall>(services));
  router.add_grpc("/v3electionpb.Election/Resign", factory_of<ResignCall>(services));
  router.add_grpc("/v3electionpb.Election/Leader", factory_of<LeaderCall>(services));
}

}  // namespace lattice::etcd
