// KV.Compact.
#include "etcd/methods.h"
#include "etcd/unary.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

class CompactCall final : public OneOperationCall {
 public:
  using OneOperationCall::OneOperationCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    etcdserverpb::CompactionRequest request;
    if (!decode_into(message, &request)) return;
    changes().compact(Revision(request.revision()), request.physical(),
                      answer<CompactCall, Revision>([](auto& call, Revision revision) {
                        call.reply(encode_header_only(call.tenant().header(), revision));
                      }));
  }
};

}  // namespace

void register_compact(Services& services, proxy::Router& router) {
  router.add_grpc("/etcdserverpb.KV/Compact", factory_of<CompactCall>(services));
}

}  // namespace lattice::etcd
