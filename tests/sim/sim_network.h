// What lies between the processes of a simulation: calls from replica to replica, and the fan-out.
// Both are slow, and lose what they like in every way that is allowed to them; the fan-out also
// repeats, reorders and forges. Thread: one. Ownership: the world outlives it, it the replicas.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "replica/fanout.h"
#include "replica/lifetime.h"
#include "replica/peers.h"
#include "sim/probes.h"
#include "sim/sim_world.h"

namespace lattice::sim {

// In percent.
struct NetworkFaults {
  int call_lost = 1;  // before or after it was executed, or executed after the caller was told
  int call_slow = 2;
  int message_lost = 2;
  int message_twice = 2;
  int message_late = 5;
  int message_forged = 1;
};

class SimNetwork {
 public:
  SimNetwork(SimWorld& world, Probes& probes) : world_(world), probes_(probes) {}

  struct Host {
    SimProcess* process = nullptr;
    replica::PeerService* service = nullptr;
    replica::Fanout::Receiver receiver;
    bool cut_off = false;  // from all other hosts
  };
  SimWorld& world() { return world_; }
  Probes& probes() { return probes_; }
  NetworkFaults& faults() { return faults_; }
  Host& host(const std::string& address) { return hosts_[address]; }
  // nullptr: nobody there.
  Host* find(const std::string& address);
  void publish(const std::string& from, const std::string& message);

 private:
  void deliver(const std::string& to, std::string message);

  SimWorld& world_;
  Probes& probes_;
  NetworkFaults faults_;
  std::map<std::string, Host> hosts_;
  std::vector<std::string> published_;  // to be played back
};

// One process's way to the others.
class SimPeers : public replica::Peers {
 public:
  SimPeers(SimNetwork& network, SimProcess& process, std::string address)
      : network_(network), process_(process), address_(std::move(address)) {}
  void call(const std::string& address, replica::PeerRequest request,
            Callback<replica::PeerReply> done) override;

 private:
  struct Call;
  SimNetwork& network_;
  SimProcess& process_;
  const std::string address_;
  replica::Lifetime lifetime_;
};

class SimFanout : public replica::Fanout {
 public:
  SimFanout(SimNetwork& network, std::string address)
      : network_(network), address_(std::move(address)) {}
  ~SimFanout() override { network_.host(address_).receiver = {}; }
  void subscribe(Receiver receiver) override {
    network_.host(address_).receiver = std::move(receiver);
  }
  void publish(std::string message) override { network_.publish(address_, message); }

 private:
  SimNetwork& network_;
  const std::string address_;
};

}  // namespace lattice::sim
