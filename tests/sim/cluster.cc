#include "sim/cluster.h"

#include <chrono>
#include <cstdio>

namespace lattice::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

Node::Node(SimWorld& world, SimDatabase& database, Probes& probes, bool exclusive, Ties ties)
    : world_(world),
      database_(database),
      probes_(probes),
      exclusive_(exclusive),
      ties_(std::move(ties)),
      process_(world) {
  options_.node = {.name = ties_.address, .address = ties_.address, .client_urls = {}};
  options_.standby_wait = milliseconds(300);
  options_.request_timeout = seconds(4);
  options_.progress_interval = seconds(2);
  options_.stream_bytes = 256;
  options_.all_streams_bytes = 512;
  options_.stream_share_bytes = 100;
  options_.compact_keys_per_step = 7;
  options_.compact_removals_per_call = 5;
  options_.batch_records_max = 8;
}

Node::~Node() = default;

void Node::start_process() {
  // Each life has its own clock: boot time means nothing across restarts.
  environment_ =
      std::make_unique<SimEnvironment>(process_, world_.rng().between(0, 1'000'000'000'000),
                                       static_cast<int>(world_.rng().between(-200, 200)));
  // Every other life is one beside other tenants.
  if (++processes_ % 2 == 0) environment_->share(0.5);
  sessions_ = std::make_unique<SimSessions>(database_, process_, faults_, probes_);
  if (exclusive_) return;
  session_ = std::make_unique<replica::SessionKeeper>(
      *environment_, options_, *sessions_, [this](const Status& status) { say(status.detail()); });
  session_->start();
}

void Node::start() {
  ++life_;
  if (environment_ == nullptr) start_process();
  if (ties_.network != nullptr) {
    peers_ = std::make_unique<SimPeers>(*ties_.network, process_, ties_.address);
    if (ties_.fanout) fanout_ = std::make_unique<SimFanout>(*ties_.network, ties_.address);
  }
  replica::Observer& observer = *this;  // a private base, which make_unique may not convert to
  replica_ = std::make_unique<replica::Replica>(
      options_, *environment_,
      std::make_unique<SimLog>(database_, process_, faults_, probes_, exclusive_),
      replica::Links{.session = session_.get(),
                     .peers = peers_.get(),
                     .fanout = fanout_.get(),
                     .keyring = &keyring_},
      &observer);
  if (ties_.network != nullptr) {
    SimNetwork::Host& host = ties_.network->host(ties_.address);
    host.process = &process_;
    host.service = replica_.get();
  }
  replica_->start();
}

void Node::say(std::string_view what) const {
  if (verbose_ < 0) return;
  std::printf("%10.3f ms  node %d: %.*s\n", static_cast<double>(world_.now()) / 1e6, verbose_,
              static_cast<int>(what.size()), what.data());
}

void Node::crash() {
  process_.crash();
  destroy_replica();
  session_.reset();
  sessions_.reset();
  environment_.reset();
}

void Node::destroy_replica() {
  if (ties_.network != nullptr) ties_.network->host(ties_.address).service = nullptr;
  replica_.reset();
  fanout_.reset();
  peers_.reset();
  stopping_ = false;
  ++life_;
}

void Node::stop_replica(SimWorld::Task then) {
  stopping_ = true;
  replica_->stop([this, then = std::move(then)](const Status&) mutable {
    // Not inside the replica's own callback.
    process_.deliver(0, std::move(then));
  });
}

void Node::stop() {
  stop_replica([this] {
    if (session_ == nullptr) return crash();
    session_->release([this](const Status&) { process_.deliver(0, [this] { crash(); }); });
  });
}

void Node::unload() {
  probes_.hit("sim: a replica was unloaded");
  stop_replica([this] { destroy_replica(); });
}

}  // namespace lattice::sim
