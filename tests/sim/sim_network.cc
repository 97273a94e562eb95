#include "sim/sim_network.h"

#include <utility>

namespace lattice::sim {
namespace {
constexpr int64_t microsecond = 1'000;
constexpr int64_t millisecond = 1'000'000;
constexpr Error lost = Error::timeout_connection_lost;
}  // namespace

SimNetwork::Host* SimNetwork::find(const std::string& address) {
  const auto at = hosts_.find(address);
  return at == hosts_.end() ? nullptr : &at->second;
}

// ---- Fan-out ----

void SimNetwork::publish(const std::string& from, const std::string& message) {
  if (published_.size() < 200) published_.push_back(message);
  Rng& rng = world_.rng();
  for (const auto& [address, host] : hosts_) {
    if (address == from) continue;
    if (rng.chance(faults_.message_lost)) continue;
    deliver(address, message);
    if (rng.chance(faults_.message_twice)) deliver(address, message);
    if (!rng.chance(faults_.message_forged)) continue;
    std::string forged = published_[rng.below(published_.size())];
    if (rng.chance(70)) forged[rng.below(forged.size())] ^= static_cast<char>(1 << rng.below(8));
    deliver(address, std::move(forged));
  }
}

void SimNetwork::deliver(const std::string& to, std::string message) {
  Rng& rng = world_.rng();
  const int64_t delay = rng.chance(faults_.message_late) ? rng.between(1, 300) * millisecond
                                                         : rng.between(50, 400) * microsecond;
  world_.at(delay, [this, to, message = std::move(message)]() mutable {
    Host& host = hosts_[to];
    if (host.cut_off || host.process == nullptr || !host.receiver.message) return;
    host.process->deliver(0, [this, to, message = std::move(message)] {
      Host& there = hosts_[to];
      if (there.receiver.message) there.receiver.message(message);
    });
  });
}

// ---- Calls ----

// Answered once, whoever is first: the reply, the loss of the connection, or the caller's patience.
struct SimPeers::Call {
  Callback<replica::PeerReply> done;
  void finish(Result<replica::PeerReply> reply) {
    if (auto once = std::exchange(done, nullptr)) once(std::move(reply));
  }
};

void SimPeers::call(const std::string& address, replica::PeerRequest request,
                    Callback<replica::PeerReply> done) {
  Rng& rng = network_.world().rng();
  auto call = std::make_shared<Call>();
  call->done = lifetime_.guard(std::move(done));
  const auto answer = [process = &process_, call](int64_t delay, Result<replica::PeerReply> reply) {
    process->deliver(
        delay, [call, reply = std::move(reply)]() mutable { call->finish(std::move(reply)); });
  };
  answer(request.patience.count() + 500 * millisecond, lost);
  if (network_.host(address_).cut_off)
    return answer(rng.between(1, 50) * millisecond, Error::unsent);
  const bool slow = rng.chance(network_.faults().call_slow);
  const int64_t there =
      slow ? rng.between(1, 500) * millisecond : rng.between(50, 300) * microsecond;
  bool reply_lost = false;
  if (rng.chance(network_.faults().call_lost)) {
    switch (rng.below(3)) {
      case 0:
        network_.probes().hit("sim: a call was lost on its way");
        return answer(rng.between(1, 50) * millisecond, lost);
      case 1:
        network_.probes().hit("sim: a call's answer was lost");
        reply_lost = true;
        break;
      default:
        network_.probes().hit("sim: a call was executed after its caller was told that it is lost");
        answer(0, lost);
    }
  }
  // The answer can be slow on its own: it is old then when it arrives.
  const int64_t back = rng.chance(network_.faults().call_slow) ? rng.between(1, 500) * millisecond
                                                               : rng.between(50, 300) * microsecond;
  network_.world().at(there, [network = &network_, to = address, reply_lost, back, answer,
                              request = std::move(request)]() mutable {
    SimNetwork::Host* host = network->find(to);
    if (host == nullptr || host->process == nullptr || host->service == nullptr || host->cut_off) {
      return answer(back, Error::unsent);
    }
    host->process->deliver(
        0, [network, to, reply_lost, back, answer, request = std::move(request)]() mutable {
          replica::PeerService* service = network->host(to).service;
          if (service == nullptr) return answer(back, Error::unsent);
          service->serve(std::move(request), [reply_lost, back, answer](replica::PeerReply reply) {
            reply_lost ? answer(back, lost) : answer(back, std::move(reply));
          });
        });
  });
}

}  // namespace lattice::sim
