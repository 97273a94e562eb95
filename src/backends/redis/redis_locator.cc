#include "backends/redis/redis_locator.h"

#include <algorithm>

#include "backends/redis/redis_reply.h"

namespace lattice::backends {

RedisLocator::~RedisLocator() { cancel(); }

void RedisLocator::cancel() {
  alive_ = std::make_shared<bool>(true);
  patience_.reset();
  RedisConnection::retire(loop_, std::move(connection_));
}

void RedisLocator::locate(Callback<std::vector<Host>> done) {
  cancel();
  done_ = std::move(done);
  look_up(url_.hosts, [this](Result<std::vector<Host>> hosts) {
    if (url_.by_sentinel()) {
      start_asking(std::move(hosts));
    } else {
      finish(std::move(hosts));
    }
  });
}

void RedisLocator::look_up(std::vector<Host> hosts, Callback<std::vector<Host>> done) {
  const std::weak_ptr<bool> alive = alive_;
  if (std::none_of(hosts.begin(), hosts.end(), needs_resolution)) {
    loop_.defer([alive, hosts = std::move(hosts), done = std::move(done)]() mutable {
      if (!alive.expired()) done(std::move(hosts));
    });
    return;
  }
  resolver_.resolve(std::move(hosts),
                    [alive, done = std::move(done)](Result<std::vector<Host>> found) mutable {
                      if (!alive.expired()) done(std::move(found));
                    });
}

void RedisLocator::start_asking(Result<std::vector<Host>> sentinels) {
  if (!sentinels.ok()) {
    finish(sentinels.status());
    return;
  }
  sentinels_ = std::move(*sentinels);
  failed_ = 0;
  ask_next();
}

void RedisLocator::ask_next() {
  RedisConnection::Events events;
  events.connected = [] {};
  events.reply = [this](const redisReply& reply) { on_reply(reply); };
  events.closed = [this](Status why) { try_another(std::move(why)); };
  asking_ %= sentinels_.size();
  connection_ = std::make_unique<RedisConnection>(
      loop_, sentinels_[asking_], tls_ == nullptr ? nullptr : tls_->get(), std::move(events));
  logging_in_ = url_.sentinel_login.given();
  if (logging_in_) (void)send_login(*connection_, url_.sentinel_login);
  (void)connection_->send({"SENTINEL", "get-master-addr-by-name", url_.master});
  patience_ = loop_.after(redis_patience, [this] {
    try_another(Status(Error::backend_unavailable, "it does not answer"));
  });
}

void RedisLocator::on_reply(const redisReply& reply) {
  if (!logging_in_) {
    on_answer(reply);
  } else if (is_error(reply)) {
    try_another(Status(Error::backend_unavailable,
                       "it refuses the user or password (" + error_code(reply) + ")"));
  } else {
    logging_in_ = false;
  }
}

void RedisLocator::on_answer(const redisReply& reply) {
  Host master{std::string(element_text(reply, 0)), {}, std::string(element_text(reply, 1))};
  if (is_error(reply)) {
    try_another(Status(Error::backend_unavailable, "it refuses to answer: " + error_code(reply)));
  } else if (master.host.empty() || master.port.empty()) {
    try_another(Status(Error::backend_unavailable, "it knows no master of that name"));
  } else {
    patience_.reset();
    RedisConnection::retire(loop_, std::move(connection_));
    ++asking_;
    look_up({std::move(master)},
            [this](Result<std::vector<Host>> hosts) { finish(std::move(hosts)); });
  }
}

void RedisLocator::try_another(Status why) {
  patience_.reset();
  RedisConnection::retire(loop_, std::move(connection_));
  const std::string who = "Sentinel " + describe(sentinels_[asking_]);
  ++asking_;
  if (++failed_ < sentinels_.size()) {
    ask_next();
  } else {
    finish(Status(why.error(), who + ": " + why.detail()));
  }
}

void RedisLocator::finish(Result<std::vector<Host>> found) {
  Callback<std::vector<Host>> done = std::move(done_);
  done(std::move(found));
}

}  // namespace lattice::backends
