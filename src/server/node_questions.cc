#include "server/node_questions.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "proto/rpc.pb.h"
#include "server/forwarding.h"

namespace lattice::server {
namespace {

constexpr const char* question_path = "/etcdserverpb.Maintenance/Status";
// A node may have to load the tenant for its answer.
constexpr const char* question_timeout = "10S";
constexpr const char* asking = "lattice tenant move";
constexpr size_t frame_prefix_bytes = 5;

struct Remedy {
  std::string_view failure;  // as peer::ForwardClient names it
  std::string_view text;
};
constexpr std::array remedies{
    Remedy{"peer_certificate",
           "this command refuses the node's certificate, which must be for the host in the node's "
           "[cluster] advertise, and of an authority in this command's [cluster] ca_path"},
    Remedy{"own_certificate",
           "the node refuses this command's certificate ([cluster] tls_chain_path), which must be "
           "of an authority in the node's [cluster] ca_path"},
    Remedy{"not_tls",
           "this command has a certificate for calls between nodes, which the node lacks, it "
           "seems: [cluster] tls_chain_path, tls_key_path and ca_path are for every node or none"},
    Remedy{"tls",
           "this command has no certificate for calls between nodes: give it the node's [cluster] "
           "tls_chain_path, tls_key_path and ca_path"}};

Status unavailable(std::string text) { return {Error::backend_unavailable, std::move(text)}; }

}  // namespace

class NodeQuestions::Question final : private proxy::ClientStreamEvents {
 public:
  Question(peer::ForwardClient& client, const std::string& address,
           const proxy::ForwardedFacts& facts, Callback<NodeKnowledge> done)
      : done_(std::move(done)),
        stream_(client.open(address, {facts, asking, {}, {}}, question_path,
                            {{"grpc-timeout", question_timeout}}, *this)) {
    stream_->send(ByteChain());
    stream_->half_close();
  }

 private:
  void on_headers(const proxy::Metadata& headers) override {
    for (const auto& [name, value] : headers) {
      if (name != epoch_metadata) continue;
      std::from_chars(value.data(), value.data() + value.size(), knowledge_.routing_epoch);
    }
  }
  void on_framed(Bytes part) override { answer_ += part.view(); }
  void on_end(const proxy::ClientStreamEnd& end) override {
    if (end.status.code != proxy::GrpcCode::ok) {
      return done_(unavailable(end.status.message.empty() ? "no answer" : end.status.message));
    }
    etcdserverpb::StatusResponse status;
    const bool whole = answer_.size() >= frame_prefix_bytes &&
                       status.ParseFromString(answer_.substr(frame_prefix_bytes));
    if (!whole) return done_(unavailable("the answer is no such message"));
    knowledge_.member_id = status.header().member_id();
    knowledge_.leader = status.leader();
    done_(knowledge_);
  }

  Callback<NodeKnowledge> done_;
  NodeKnowledge knowledge_;
  std::string answer_;  // as it is framed
  std::unique_ptr<proxy::ClientStream> stream_;
};

NodeQuestions::NodeQuestions(BlockingLoop& blocking, Parts parts)
    : blocking_(blocking),
      keyring_(parts.secrets),
      around_{{.loop = blocking.loop,
               .random_bytes = [&environment = blocking.environment](
                                   std::span<uint8_t> out) { environment.random_bytes(out); },
               .on_trouble = [](std::string_view, std::string_view) {},
               .limits = {},
               .tls = std::move(parts.tls)},
              keyring_,
              std::to_string(parts.cluster_id)},
      client_(std::make_unique<peer::ForwardClient>(around_)) {}

NodeQuestions::~NodeQuestions() { *alive_ = false; }

Result<NodeKnowledge> NodeQuestions::ask(const std::string& address, const std::string& tenant,
                                         int64_t routing_epoch) {
  const Status ready = blocking_.wait_for<Status>(
      [&](auto done) { client_->when_ready(address, alive_, std::move(done)); });
  if (!ready.ok()) return ready;
  if (!client_->ready(address)) return unavailable(address + ": it takes no requests");
  std::unique_ptr<Question> question;
  return blocking_.wait_for<Result<NodeKnowledge>>([&](auto done) {
    question = std::make_unique<Question>(
        *client_, address, proxy::ForwardedFacts{tenant, routing_epoch}, std::move(done));
  });
}

std::string NodeQuestions::remedy(const std::string& address) const {
  const auto* const found =
      std::ranges::find(remedies, client_->failure(address), &Remedy::failure);
  return found == remedies.end() ? std::string() : std::string(found->text);
}

}  // namespace lattice::server
