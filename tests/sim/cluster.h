// The processes of a simulation: replicas on one simulated database, and what is done to them.
// Thread: one. Ownership: everything of one simulated world.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "replica/replica.h"
#include "sim/history.h"
#include "sim/probes.h"
#include "sim/sim_log.h"
#include "sim/sim_network.h"
#include "sim/sim_world.h"

namespace lattice::sim {

class Node : private replica::Observer {
 public:
  struct Ties {  // to other nodes; none where the network is null
    SimNetwork* network = nullptr;
    bool fanout = false;
    std::string address;
  };
  Node(SimWorld& world, SimDatabase& database, Probes& probes, bool exclusive, Ties ties);
  ~Node() override;

  // The process, if there is none, and its replica. Requires: !running().
  void start();
  void crash();
  // A clean shutdown: the process ends when the replica has stopped.
  void stop();
  // The process goes on without its replica, and its session lives.
  void unload();
  bool running() const { return replica_ != nullptr; }
  bool stopping() const { return stopping_; }
  replica::Replica* replica() { return replica_.get(); }
  const Ties& ties() const { return ties_; }
  uint64_t life() const { return life_; }
  SimProcess& process() { return process_; }
  SimEnvironment& environment() { return *environment_; }
  Faults& faults() { return faults_; }
  // Prints what happens inside, as node `number`.
  void be_verbose(size_t number) { verbose_ = static_cast<int>(number); }
  // The replica found the log to be broken; never right in these simulations.
  const std::string& failure() const { return failure_; }

 private:
  void start_process();
  void stop_replica(SimWorld::Task then);
  void destroy_replica();
  void on_rare(std::string_view branch) override {
    say(branch);
    probes_.hit(branch);
  }
  void on_leader_change(bool leads, bool somebody) override {
    say(leads ? "leads" : somebody ? "follows" : "knows no leader");
  }
  void say(std::string_view what) const;
  void on_failed(const Status& status) override {
    failure_ = "failed: " + status.detail();
    say(failure_);
  }
  void on_load(const LoadProgress& progress) override {
    if (progress.done && progress.batches > 0) probes_.hit("sim: a replica loaded a log");
  }

  SimWorld& world_;
  SimDatabase& database_;
  Probes& probes_;
  const bool exclusive_;
  const Ties ties_;
  const Keyring keyring_{{"the nodes' secret"}};
  SimProcess process_;
  std::unique_ptr<SimEnvironment> environment_;
  Faults faults_;
  replica::Options options_;
  std::unique_ptr<SimSessions> sessions_;
  std::unique_ptr<replica::SessionKeeper> session_;  // null: no process, or the log is exclusive
  std::unique_ptr<SimPeers> peers_;
  std::unique_ptr<SimFanout> fanout_;
  std::unique_ptr<replica::Replica> replica_;
  uint64_t life_ = 0;
  int processes_ = 0;  // that were begun
  bool stopping_ = false;
  int verbose_ = -1;
  std::string failure_;
};

}  // namespace lattice::sim
