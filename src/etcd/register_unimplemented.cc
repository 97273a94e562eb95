#include "etcd/methods.h"

namespace lattice::etcd {
namespace {

class UnimplementedCall final : public proxy::Call {
 public:
  UnimplementedCall(proxy::ServerStream& stream, std::string text)
      : stream_(stream), text_(std::move(text)) {}
  void on_message(Bytes) override { answer(); }
  void on_half_close() override { answer(); }
  void on_cancel() override { answered_ = true; }

 private:
  void answer() {
    if (answered_) return;
    answered_ = true;
    stream_.finish({proxy::GrpcCode::unimplemented, text_});
  }
  proxy::ServerStream& stream_;
  std::string text_;
  bool answered_ = false;
};

}  // namespace

void register_unimplemented(proxy::Router& router, std::string_view path) {
  // "/etcdserverpb.Cluster/MemberAdd" reads "MemberAdd" to the person who tried it.
  std::string text(path.substr(path.rfind('/') + 1));
  text += " is not offered by this version of Lattice";
  router.add_grpc(path, [text](proxy::ServerStream& stream) -> std::unique_ptr<proxy::Call> {
    return std::make_unique<UnimplementedCall>(stream, text);
  });
}

}  // namespace lattice::etcd
