// Maintenance.HashKV, and Hash, which etcd computes over its database file: ours has none, so it
// answers the same hash of the newest revision.
#include "etcd/methods.h"
#include "etcd/unary.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

class HashKvCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    etcdserverpb::HashKVRequest request;
    if (!decode_into(message, &request)) return;
    revision_ = Revision(request.revision());
    require<HashKvCall>(auth::Query::Kind::root, [](HashKvCall& call) { call.ask(); });
  }
  void ask() {
    tenant().api.hash_kv(revision_, answer<HashKvCall, keyspace::HashResult>(
                                        [](auto& call, auto& result) { call.respond(result); }));
  }
  void respond(const keyspace::HashResult& result) {
    etcdserverpb::HashKVResponse response;
    fill_header(tenant(), result.header_revision, response.mutable_header());
    response.set_hash(result.hash);
    response.set_compact_revision(result.compact_revision.value);
    response.set_hash_revision(result.hash_revision.value);
    reply_message(response);
  }
  Revision revision_;
};

class HashCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    etcdserverpb::HashRequest request;
    if (!decode_into(message, &request)) return;
    require<HashCall>(auth::Query::Kind::root, [](HashCall& call) { call.ask(); });
  }
  void ask() {
    tenant().api.hash_kv(Revision(0), answer<HashCall, keyspace::HashResult>(
                                          [](auto& call, auto& result) { call.respond(result); }));
  }
  void respond(const keyspace::HashResult& result) {
    etcdserverpb::HashResponse response;
    fill_header(tenant(), result.header_revision, response.mutable_header());
    response.set_hash(result.hash);
    reply_message(response);
  }
};

}  // namespace

void register_hash(Services& services, proxy::Router& router) {
  router.add_grpc("/etcdserverpb.Maintenance/HashKV", factory_of<HashKvCall>(services));
  router.add_grpc("/etcdserverpb.Maintenance/Hash", factory_of<HashCall>(services));
}

}  // namespace lattice::etcd
