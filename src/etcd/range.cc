// KV.Range.
#include "etcd/methods.h"
#include "etcd/unary.h"

namespace lattice::etcd {
namespace {

class RangeCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant& tenant, std::string_view message) override {
    Result<keyspace::RangeRequest> request = decode_range(message);
    if (!request.ok()) return fail(request.status());
    tenant.api.range(std::move(*request),
                     answer<RangeCall, keyspace::RangeResult>([](auto& call, auto& result) {
                       call.reply(encode(call.tenant().header(), result));
                     }),
                     caller());
  }
};

}  // namespace

void register_range(Services& services, proxy::Router& router) {
  router.add_grpc("/etcdserverpb.KV/Range", factory_of<RangeCall>(services));
}

}  // namespace lattice::etcd
