// Finds the server: by DNS, or by asking the Sentinels in turn who the master is. What a Sentinel
// says may be out of date, so the master is asked too (RedisLink).
//
// Thread: the loop's. Callbacks never run inside a call, none after it is destroyed.
#pragma once

#include <memory>
#include <vector>

#include "backends/common/resolver.h"
#include "backends/redis/redis_connection.h"
#include "backends/redis/redis_url.h"
#include "base/callback.h"

namespace lattice::backends {

class RedisLocator {
 public:
  RedisLocator(loop::Loop& loop, Resolver& resolver, const RedisUrl& url,
               std::shared_ptr<const tls::Source> tls)
      : loop_(loop), resolver_(resolver), url_(url), tls_(std::move(tls)) {}
  ~RedisLocator();
  RedisLocator(const RedisLocator&) = delete;
  RedisLocator& operator=(const RedisLocator&) = delete;

  // The server's addresses: those of a name, in the resolver's order. One question at a time.
  // Errors: backend_unavailable, with the reason of whom it asked last.
  void locate(Callback<std::vector<Host>> done);
  void cancel();

 private:
  void look_up(std::vector<Host> hosts, Callback<std::vector<Host>> done);
  void start_asking(Result<std::vector<Host>> sentinels);
  void ask_next();
  void on_reply(const redisReply& reply);
  void on_answer(const redisReply& reply);
  void try_another(Status why);
  void finish(Result<std::vector<Host>> found);

  loop::Loop& loop_;
  Resolver& resolver_;
  const RedisUrl& url_;
  const std::shared_ptr<const tls::Source> tls_;  // null: plaintext
  Callback<std::vector<Host>> done_;              // of the question that is being asked
  std::vector<Host> sentinels_;
  // Which of them. Each question begins with another one: one that is cut off from the rest names
  // the old master for ever.
  size_t asking_ = 0;
  size_t failed_ = 0;  // in this round
  bool logging_in_ = false;
  std::unique_ptr<RedisConnection> connection_;
  std::unique_ptr<loop::TimerHandle> patience_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // renewed by cancel()
};

}  // namespace lattice::backends
