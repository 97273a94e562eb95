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
      process_(world) {}

Node::~Node() = default;

void Node::start() {
  ++life_;
  // Each life has its own clock: boot time means nothing across restarts.
  environment_ =
      std::make_unique<SimEnvironment>(process_, world_.rng().between(0, 1'000'000'000'000),
                                       static_cast<int>(world_.rng().between(-200, 200)));
  if (ties_.network != nullptr) {
    peers_ = std::make_unique<SimPeers>(*ties_.network, process_, ties_.address);
    if (ties_.fanout) fanout_ = std::make_unique<SimFanout>(*ties_.network, ties_.address);
  }
  sessions_ = std::make_unique<SimSessions>(database_, process_, faults_, probes_);
  replica::Options options;
  options.node = {.name = ties_.address, .address = ties_.address, .client_urls = {}};
  options.standby_wait = milliseconds(300);
  options.request_timeout = seconds(4);
  options.progress_interval = seconds(2);
  options.stream_bytes = 256;
  options.all_streams_bytes = 512;
  options.stream_share_bytes = 100;
  options.compact_keys_per_step = 7;
  options.compact_removals_per_call = 5;
  options.batch_records_max = 8;
  replica::Observer& observer = *this;  // a private base, which make_unique may not convert to
  replica_ = std::make_unique<replica::Replica>(
      options, *environment_,
      std::make_unique<SimLog>(database_, process_, faults_, probes_, exclusive_),
      replica::Links{.sessions = exclusive_ ? nullptr : sessions_.get(),
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
  if (ties_.network != nullptr) ties_.network->host(ties_.address).service = nullptr;
  replica_.reset();
  fanout_.reset();
  peers_.reset();
  stopping_ = false;
  ++life_;
}

void Node::stop() {
  stopping_ = true;
  replica_->stop([this](const Status&) {
    // Not inside the replica's own callback.
    process_.deliver(0, [this] { crash(); });
  });
}

}  // namespace lattice::sim
