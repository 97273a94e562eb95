// KV.DeleteRange.
#include "etcd/methods.h"
#include "etcd/unary.h"
#include "etcd/write_size.h"
#include "keyspace/keyspace.h"

namespace lattice::etcd {
namespace {

class DeleteRangeCall final : public OneOperationCall {
 public:
  using OneOperationCall::OneOperationCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    Result<keyspace::DeleteRangeRequest> request = decode_delete_range(message);
    if (!request.ok()) return fail(request.status());
    if (is_too_large(services().limits, message.size())) {
      return fail(refuse_large(keyspace::validate(*request)));
    }
    changes().delete_range(
        std::move(*request),
        answer<DeleteRangeCall, keyspace::DeleteRangeResult>(
            [](auto& call, auto& result) { call.reply(encode(call.tenant().header(), result)); }));
  }
};

}  // namespace

void register_delete_range(Services& services, proxy::Router& router) {
  router.add_grpc("/etcdserverpb.KV/DeleteRange", factory_of<DeleteRangeCall>(services));
}

}  // namespace lattice::etcd
