#include "peer/peer_client.h"

#include <utility>

#include "peer/channel.h"

namespace lattice::peer {
namespace {

// Beyond so many, those without a use are looked for before another is added.
constexpr size_t channels_kept = 64;

}  // namespace

class PeerClient::LogPeers final : public replica::Peers {
 public:
  LogPeers(PeerClient& client, const replica::LogId& log)
      : client_(client), alive_(std::make_shared<bool>(true)), caller_{log, alive_} {}
  ~LogPeers() override {
    *alive_ = false;
    for (auto& [address, channel] : client_.channels_) channel->forget_dead_callers();
  }

  void call(const std::string& address, replica::PeerRequest request,
            Callback<replica::PeerReply> done) override {
    client_.channel(address).call(caller_, std::move(request), std::move(done));
  }

 private:
  PeerClient& client_;
  std::shared_ptr<bool> alive_;
  const Channel::Caller caller_;
};

PeerClient::PeerClient(Surroundings& around)
    : around_(around),
      context_(std::make_shared<proxy::ClientContext>(around.loop)),
      trouble_(around) {}

PeerClient::~PeerClient() = default;

std::unique_ptr<replica::Peers> PeerClient::peers(const replica::LogId& log) {
  return std::make_unique<LogPeers>(*this, log);
}

Channel& PeerClient::channel(const std::string& address) {
  if (const auto found = channels_.find(address); found != channels_.end()) return *found->second;
  if (channels_.size() >= channels_kept) sweep();
  auto fresh = std::make_unique<Channel>(around_, context_, trouble_, address);
  return *channels_.emplace(address, std::move(fresh)).first->second;
}

void PeerClient::sweep() {
  absl::erase_if(channels_, [](const auto& entry) { return entry.second->disposable(); });
}

}  // namespace lattice::peer
