// KV.Put.
#include "etcd/methods.h"
#include "etcd/unary.h"
#include "etcd/write_size.h"
#include "keyspace/keyspace.h"

namespace lattice::etcd {
namespace {

class PutCall final : public OneOperationCall {
 public:
  using OneOperationCall::OneOperationCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    Result<keyspace::PutRequest> request = decode_put(message);
    if (!request.ok()) return fail(request.status());
    if (is_too_large(services().limits, message.size())) {
      return fail(refuse_large(keyspace::validate(*request)));
    }
    changes().put(std::move(*request),
                  answer<PutCall, keyspace::PutResult>([](auto& call, auto& result) {
                    call.reply(encode(call.tenant().header(), result));
                  }));
  }
};

}  // namespace

void register_put(Services& services, proxy::Router& router) {
  router.add_grpc("/etcdserverpb.KV/Put", factory_of<PutCall>(services));
}

}  // namespace lattice::etcd
