// Keeps one connection to Redis: finds the server, logs in, makes sure that it is the right one and
// lets us do what we want there, asks it every second whether it still lives, and comes back with a
// jittered back-off when it does not.
//
// Thread: the loop's. Callbacks never run inside a call, none after it is destroyed; it may be
//   destroyed in one.
#pragma once

#include <deque>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/redis/redis_connection.h"
#include "backends/redis/redis_locator.h"
#include "backends/redis/redis_url.h"
#include "base/dependency.h"

namespace lattice::backends {

class RedisLink {
 public:
  enum class Purpose : uint8_t { publishing, subscribing };
  struct Events {
    absl::AnyInvocable<void()> ready;
    // While ready, and never an error: that ends the connection.
    absl::AnyInvocable<void(const redisReply& reply)> reply;
  };

  struct Server {
    const RedisUrl& url;
    std::shared_ptr<const tls::Source> tls;  // null for plaintext
    Dependency& redis;                       // to which it reports
  };

  // Starts at once. Requires: what `server` refers to outlives it.
  RedisLink(loop::Loop& loop, Resolver& resolver, const Server& server, Purpose purpose,
            Events events);
  ~RedisLink();
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  bool ready() const { return state_ == State::ready; }
  // False: not ready, or too much waits already.
  bool send(std::initializer_list<std::string_view> words);
  size_t pending_bytes() const { return connection_ != nullptr ? connection_->pending_bytes() : 0; }
  // How often it has become ready: tells one connection from the next.
  uint64_t generation() const { return generation_; }
  // Ok while ready; else why not, and where.
  const Status& health() const { return health_; }

 private:
  enum class State : uint8_t { locating, connecting, greeting, ready, waiting };
  // What a new connection is asked before it counts, in this order.
  enum class Greeting : uint8_t { login, role, purpose };

  void locate();
  void connect(Result<std::vector<Host>> addresses);
  void greet();
  void on_reply(const redisReply& reply);
  void on_greeting(const redisReply& reply);
  void become_ready();
  void check_alive();
  void fail(const std::string& why);
  void retry_later();
  void retry_after(Duration delay);

  loop::Loop& loop_;
  const Server server_;
  const Purpose purpose_;
  Events events_;
  RedisLocator locator_;
  State state_ = State::waiting;
  std::string where_;        // the server that it talks to or tried last
  size_t next_address_ = 0;  // of a name with several
  std::unique_ptr<RedisConnection> connection_;
  std::deque<Greeting> greetings_;            // sent and not answered
  std::unique_ptr<loop::TimerHandle> timer_;  // patience, the next look, or the back-off
  std::optional<Instant> asked_;              // when PING left that nothing has followed
  Instant tried_at_;                          // the attempt to connect that was the last
  Instant ready_since_;
  Status health_;
  int failures_ = 0;
  uint64_t generation_ = 0;
};

}  // namespace lattice::backends
