// What a loop's replicas share of Redis: one connection that publishes, one that listens, and a
// replica::Fanout for each log's channel. While Redis is away messages are dropped and counted, and
// whoever listens learns at every new beginning that it may have missed something (log-protocol
// S4).
//
// Thread: the loop's. Callbacks never run inside a call, none after what they belong to is
// destroyed;
//   it may be destroyed in one.
// Ownership: the hub outlives its fan-outs.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/dependency.h"
#include "base/status.h"
#include "loop/loop.h"
#include "replica/fanout.h"
#include "tls/context.h"

namespace lattice::backends {

class RedisFanout;

class RedisHub {
 public:
  // Longer messages from outside are ignored, our own not sent.
  static constexpr size_t message_bytes_max = size_t{1} << 20;

  struct Counters {
    uint64_t published = 0;   // given to a connection that was ready
    uint64_t dropped = 0;     // there was none, or too much waited already
    uint64_t received = 0;    // messages on channels of ours
    uint64_t ignored = 0;     // of those, too long
    uint64_t reconnects = 0;  // of both connections
  };

  // Begins to connect, for as long as it lives. `tls`: for URLs that want it; null: the system's
  // authorities and no certificate of our own. `redis`: where it reports; null: it keeps that for
  // itself. Errors: invalid_argument (redis_url.h), without anything secret.
  static Result<std::unique_ptr<RedisHub>> open(loop::Loop& loop, std::string_view url,
                                                std::shared_ptr<const tls::Source> tls = nullptr,
                                                SharedDependency redis = nullptr);
  ~RedisHub();
  RedisHub(const RedisHub&) = delete;
  RedisHub& operator=(const RedisHub&) = delete;

  // Requires: of all fan-outs with this channel, one subscribes at a time.
  std::unique_ptr<RedisFanout> fanout(std::string channel);

  // Both connections are good, and every channel is subscribed to.
  bool up() const;
  // Ok while up(); else why not: names hosts and ports, never a user or password.
  Status health() const;
  Counters counters() const;

 private:
  friend class RedisFanout;
  struct Impl;
  explicit RedisHub(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class RedisFanout final : public replica::Fanout {
 public:
  ~RedisFanout() override;
  void subscribe(Receiver receiver) override;
  void publish(std::string message) override;

  // Both connections are good and this channel, if it has a receiver, is subscribed to: what is
  // published now most probably gets through. While false, somebody else should carry it.
  bool up() const;

 private:
  friend class RedisHub;
  RedisFanout(RedisHub::Impl& hub, std::string channel);

  RedisHub::Impl& hub_;
  const std::string channel_;
  bool subscribed_ = false;
};

}  // namespace lattice::backends
