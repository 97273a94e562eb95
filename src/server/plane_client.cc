#include "server/plane_client.h"

#include <utility>

namespace lattice::server {
namespace {

// A member that has just lost its quorum's leader answers behind the election.
constexpr Duration plane_patience = std::chrono::seconds(4);
constexpr std::string_view txn_path = "/etcdserverpb.KV/Txn";

}  // namespace

PlaneClient::PlaneClient(BlockingLoop& blocking, std::vector<std::string> endpoints,
                         std::shared_ptr<const tls::Source> tls)
    : blocking_(blocking),
      endpoints_(std::move(endpoints)),
      tls_(std::move(tls)),
      context_(std::make_shared<proxy::ClientContext>(blocking.loop)) {}

PlaneClient::~PlaneClient() { drop(); }

void PlaneClient::connect() {
  if (lost_) drop();
  if (connection_ != nullptr) return;
  connection_ =
      std::make_unique<control::Connection>(*context_, endpoints_[endpoint_], tls_, plane_patience,
                                            [this](const std::string&) { lost_ = true; });
}

void PlaneClient::drop() {
  if (connection_ != nullptr) connection_->close();
  connection_.reset();
  lost_ = false;
}

Result<etcdserverpb::TxnResponse> PlaneClient::write(const etcdserverpb::TxnRequest& request) {
  using Answer = Result<etcdserverpb::TxnResponse>;
  connect();
  Answer answer = blocking_.wait_for<Answer>([&](auto done) {
    connection_->call<etcdserverpb::TxnRequest, etcdserverpb::TxnResponse>(
        txn_path, request, plane_patience, std::move(done));
  });
  if (answer.ok()) return answer;
  drop();
  const std::string& asked = endpoints_[endpoint_];
  endpoint_ = (endpoint_ + 1) % endpoints_.size();
  return Status(Error::backend_unavailable,
                "the control plane at " + asked + ": " + answer.status().detail());
}

Result<etcdserverpb::TxnResponse> PlaneClient::read(const etcdserverpb::TxnRequest& request) {
  Result<etcdserverpb::TxnResponse> answer = write(request);
  for (size_t i = 1; i < endpoints_.size() && !answer.ok(); ++i) answer = write(request);
  return answer;
}

}  // namespace lattice::server
