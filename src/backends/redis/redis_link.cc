#include "backends/redis/redis_link.h"

#include <algorithm>

#include "backends/common/random.h"
#include "backends/redis/redis_reply.h"

namespace lattice::backends {
namespace {

constexpr Duration retry_min = std::chrono::milliseconds(50);
constexpr Duration retry_max = std::chrono::seconds(1);
constexpr Duration look_interval = std::chrono::seconds(1);
// A connection that did not live for so long was no success: the back-off goes on growing.
constexpr Duration stable_after = std::chrono::seconds(1);

std::string refusal(std::string_view what, const redisReply& reply) {
  const std::string code = error_code(reply);
  std::string text = "it refuses " + std::string(what) + " (" + code + ")";
  if (code == "NOAUTH") text += ": the URL needs a password";
  if (code == "NOPERM") {
    text +=
        ": the user's ACL must have +publish +subscribe +unsubscribe +ping &lattice:*"
        " (and +role behind Sentinels)";
  }
  return text;
}

}  // namespace

RedisLink::RedisLink(loop::Loop& loop, Resolver& resolver, const Server& server, Purpose purpose,
                     Events events)
    : loop_(loop),
      server_(server),
      purpose_(purpose),
      events_(std::move(events)),
      locator_(loop, resolver, server_.url, server_.tls),
      where_(server_.url.describe()),
      health_(Error::backend_unavailable, "Redis " + where_ + ": connecting") {
  locate();
}

RedisLink::~RedisLink() { RedisConnection::retire(loop_, std::move(connection_)); }

bool RedisLink::send(std::initializer_list<std::string_view> words) {
  return ready() && connection_->send(words);
}

void RedisLink::locate() {
  state_ = State::locating;
  tried_at_ = loop_.now();
  where_ = server_.url.describe();
  locator_.locate([this](Result<std::vector<Host>> found) { connect(std::move(found)); });
}

void RedisLink::connect(Result<std::vector<Host>> addresses) {
  if (!addresses.ok()) {
    fail(addresses.status().detail());
    return;
  }
  state_ = State::connecting;
  const Host& host = (*addresses)[next_address_ % addresses->size()];
  where_ = describe(host);
  RedisConnection::Events events;
  events.connected = [this] { greet(); };
  events.reply = [this](const redisReply& reply) { on_reply(reply); };
  events.closed = [this](Status why) { fail(why.detail()); };
  connection_ = std::make_unique<RedisConnection>(
      loop_, host, server_.tls == nullptr ? nullptr : server_.tls->get(), std::move(events));
  timer_ = loop_.after(redis_patience, [this] { fail("connecting takes too long"); });
}

void RedisLink::greet() {
  state_ = State::greeting;
  greetings_.clear();
  if (server_.url.login.given()) {
    (void)send_login(*connection_, server_.url.login);
    greetings_.push_back(Greeting::login);
  }
  if (server_.url.by_sentinel()) {
    (void)connection_->send({"ROLE"});
    greetings_.push_back(Greeting::role);
  }
  // A channel that nobody listens to: whether publishing is allowed shows now, not at the first
  // batch.
  if (purpose_ == Purpose::publishing) {
    (void)connection_->send({"PUBLISH", "lattice:probe", ""});
  } else {
    (void)connection_->send({"PING"});
  }
  greetings_.push_back(Greeting::purpose);
  timer_ = loop_.after(redis_patience, [this] { fail("it does not answer"); });
}

void RedisLink::on_reply(const redisReply& reply) {
  if (asked_) server_.redis.answered(loop_.now() - *asked_);
  asked_.reset();
  if (state_ == State::greeting) {
    on_greeting(reply);
  } else if (is_error(reply)) {
    fail(refusal(purpose_ == Purpose::publishing ? "to publish" : "to let us subscribe", reply));
  } else {
    events_.reply(reply);  // which may destroy this
  }
}

void RedisLink::on_greeting(const redisReply& reply) {
  const Greeting answered = greetings_.front();
  greetings_.pop_front();
  const bool expected = purpose_ == Purpose::publishing ? reply.type == REDIS_REPLY_INTEGER
                                                        : text_of(reply) == "PONG";
  if (is_error(reply)) {
    const char* what = answered == Greeting::login       ? "the user or password"
                       : answered == Greeting::role      ? "ROLE"
                       : purpose_ == Purpose::publishing ? "PUBLISH"
                                                         : "PING";
    fail(refusal(what, reply));
  } else if (answered == Greeting::role && element_text(reply, 0) != "master") {
    fail("it is no master; the Sentinels are asked again");
  } else if (answered == Greeting::purpose && !expected) {
    fail("it does not answer as Redis does");
  } else if (greetings_.empty()) {
    become_ready();
  }
}

void RedisLink::become_ready() {
  state_ = State::ready;
  health_ = Status();
  ready_since_ = loop_.now();
  server_.redis.succeeded(ready_since_);
  ++generation_;
  timer_ = loop_.after(look_interval, [this] { check_alive(); });
  events_.ready();
}

void RedisLink::check_alive() {
  if (!asked_) {
    asked_ = loop_.now();
    // Where not even this fits, the time counts all the same.
    (void)connection_->send({"PING"});
  } else if (loop_.now() - *asked_ >= redis_patience) {
    fail("it does not answer");
    return;
  }
  timer_ = loop_.after(look_interval, [this] { check_alive(); });
}

void RedisLink::fail(const std::string& why) {
  if (state_ == State::ready && loop_.now() - ready_since_ >= stable_after) failures_ = 0;
  const Instant began = state_ != State::ready ? tried_at_ : asked_.value_or(loop_.now());
  if (state_ != State::ready) ++next_address_;
  health_ = Status(Error::backend_unavailable, "Redis " + where_ + ": " + why);
  server_.redis.failed(health_, began, loop_.now(), random_fraction());
  asked_.reset();
  locator_.cancel();
  RedisConnection::retire(loop_, std::move(connection_));
  retry_later();
}

void RedisLink::retry_later() {
  state_ = State::waiting;
  const Duration base = std::min(retry_max, retry_min * (int64_t{1} << std::min(failures_, 6)));
  ++failures_;
  const auto delay = Duration(
      static_cast<int64_t>(static_cast<double>(base.count()) * (0.5 + random_fraction() / 2)));
  retry_after(std::max(retry_min, delay));
}

void RedisLink::retry_after(Duration delay) {
  const Duration refused = server_.redis.breaker().refuses_for(loop_.now());
  timer_ = loop_.after(std::max(delay, refused), [this] {
    server_.redis.try_begin(loop_.fresh_now()) ? locate() : retry_after(retry_min);
  });
}

}  // namespace lattice::backends
