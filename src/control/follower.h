// Follows the documents of a control plane that speaks the etcd API: lists them at one revision,
// watches from there, and asks again and again for what proves that nothing was missed.
//
//   connecting -> listing (pages at a pinned revision) -> watching, probing
//        ^                                                    |
//        +---- the next endpoint, after a jittered pause -----+   whatever fails
//
// A probe is a linearizable read of how many documents there are and which one is the newest. A
// member without a quorum cannot answer it; progress of its watch would prove nothing. Where the
// answer is not what the host knows, the documents are listed again.
//
// Thread: the loop's. Ownership: the loop and the host outlive it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/dependency.h"
#include "control/cache.h"
#include "control/connection.h"
#include "proto/rpc.pb.h"

namespace lattice::control {

class Follower final : private proxy::ClientStreamEvents {
 public:
  struct Options {
    std::vector<std::string> endpoints;  // "host:port", at least one
    std::shared_ptr<const tls::Source> tls;
    Duration probe_interval;
    Duration request_timeout;  // of each step; also of connecting
    Duration backoff_max;
    SharedDependency dependency = nullptr;  // where it reports; null: it keeps that for itself
  };
  // Errors of its functions: what is answered is not believed, and another endpoint may know
  // better.
  class Host {
   public:
    virtual ~Host() = default;
    virtual Status on_all(const Origin& origin, std::vector<Version> all, Instant asked_at) = 0;
    virtual Status on_changes(uint64_t cluster_id, std::vector<Version> changes) = 0;
    virtual Result<bool> on_probe(const Origin& origin, int64_t count, int64_t newest,
                                  Instant asked_at) = 0;
    // The documents were listed over this connection, which is good until on_disconnected().
    virtual void on_connected(const std::string& endpoint, Connection& connection) = 0;
    virtual void on_disconnected(const std::string& endpoint, const std::string& reason) = 0;
    virtual void random_bytes(std::span<uint8_t> out) = 0;
  };

  Follower(loop::Loop& loop, Options options, Host& host);
  ~Follower() override;

  void start();
  // Asks for a proof soon, not only when it is time.
  void probe_soon();

 private:
  void connect();
  void list();
  void list_page(std::string from, int64_t revision);
  void on_page(const Result<etcdserverpb::RangeResponse>& page, int64_t revision);
  void on_listed();
  void watch();
  void probe_later();
  void probe();
  void fail(const std::string& reason);
  void try_later(Duration delay);
  Duration pause();
  double fraction();

  // Of the watch.
  void on_message(Bytes message) override;
  void on_end(const proxy::ClientStreamEnd& end) override;

  loop::Loop& loop_;
  const Options options_;
  const SharedDependency dependency_;
  Host& host_;
  std::shared_ptr<proxy::ClientContext> context_;
  size_t endpoint_ = 0;
  size_t failures_ = 0;  // since the last proof
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<proxy::ClientStream> watch_;
  bool probe_wanted_ = false;
  Instant probed_at_;
  bool failed_ = false;  // the connection is closed; another one follows
  Origin listed_;
  Instant listed_at_;
  Instant asked_at_;  // what was asked last
  std::vector<Version> all_;
  std::unique_ptr<loop::TimerHandle> timer_;  // the next probe, or the next attempt
};

}  // namespace lattice::control
