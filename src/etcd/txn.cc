// KV.Txn.
#include "etcd/methods.h"
#include "etcd/unary.h"
#include "etcd/write_size.h"
#include "keyspace/keyspace.h"

namespace lattice::etcd {
namespace {

class TxnCall final : public OneOperationCall {
 public:
  using OneOperationCall::OneOperationCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    const ServiceLimits& limits = services().limits;
    Result<keyspace::TxnRequest> request =
        decode_txn_up_to(message, static_cast<size_t>(limits.txn_ops_max));
    if (!request.ok()) return fail(request.status());
    // A transaction of reads has no size of its own in etcd: it never becomes a raft request.
    if (is_too_large(limits, message.size()) && !keyspace::is_read_only(*request)) {
      return fail(refuse_large(keyspace::validate(*request, limits.txn_ops_max)));
    }
    changes().txn(std::move(*request),
                  answer<TxnCall, keyspace::TxnResult>([](auto& call, auto& result) {
                    call.reply(encode(call.tenant().header(), result));
                  }));
  }
};

}  // namespace

void register_txn(Services& services, proxy::Router& router) {
  router.add_grpc("/etcdserverpb.KV/Txn", factory_of<TxnCall>(services));
}

}  // namespace lattice::etcd
