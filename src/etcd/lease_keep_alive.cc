// Lease.LeaseKeepAlive: one response for each request.
#include "etcd/methods.h"
#include "etcd/stream_call.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

// Renewals that one stream may have under way; a client that waits for answers never gets near.
constexpr size_t outstanding_max = 100'000;

class KeepAliveCall final : public StreamCall {
 public:
  using StreamCall::StreamCall;

 private:
  // The client has no more renewals: the stream ends well once all are answered.
  void on_requests_end() override {
    half_closed_ = true;
    if (outstanding_ == 0) finish({});
  }

  void on_request(std::string_view message) override {
    etcdserverpb::LeaseKeepAliveRequest request;
    if (!decode_into(message, &request)) return;
    if (outstanding_ >= outstanding_max) {
      return finish({Error::resource_exhausted, "too many keepalives without an answer"});
    }
    ++outstanding_;
    LeaseId id(request.id());
    auto done = answer<KeepAliveCall, replica::LeaseKeepAliveResult>(
        [id](KeepAliveCall& call, auto& result) { call.renewed(id, result); });
    tenant().api.lease_keep_alive(id, std::move(done), caller());
  }

  void renewed(LeaseId id, const replica::LeaseKeepAliveResult& result) {
    etcdserverpb::LeaseKeepAliveResponse response;
    fill_header(tenant(), result.header_revision, response.mutable_header());
    response.set_id(id.value);
    response.set_ttl(result.ttl_seconds);
    send_message(response);
    --outstanding_;
    if (half_closed_ && outstanding_ == 0) finish({});
  }

  size_t outstanding_ = 0;
  bool half_closed_ = false;
};

}  // namespace

void register_lease_keep_alive(Services& services, proxy::Router& router) {
  router.add_grpc("/etcdserverpb.Lease/LeaseKeepAlive", factory_of<KeepAliveCall>(services));
}

}  // namespace lattice::etcd
