#include "backends/redis/redis_hub.h"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "backends/redis/redis_link.h"
#include "backends/redis/redis_reply.h"
#include "base/string_hash.h"

namespace lattice::backends {
namespace {

// So many bytes of SUBSCRIBE are on their way at a time.
constexpr size_t subscribing_bytes_max = size_t{256} << 10;
// With so much waiting, Redis does not keep up: others should carry what comes next.
constexpr size_t congested_bytes = RedisConnection::pending_bytes_max / 2;

}  // namespace

struct RedisHub::Impl {
  struct Channel {
    // Shared with a callback that is running.
    std::shared_ptr<replica::Fanout::Receiver> receiver;
    uint64_t confirmed = 0;  // the generation of the connection on which it is subscribed to
  };

  Impl(loop::Loop& owner, RedisUrl where, const std::shared_ptr<const tls::Source>& tls,
       SharedDependency dependency)
      : loop(owner),
        url(std::move(where)),
        redis(std::move(dependency)),
        resolver(owner),
        publisher(owner, resolver, {url, tls, *redis}, RedisLink::Purpose::publishing,
                  {.ready = [] {}, .reply = [](const redisReply&) {}}),
        subscriber(owner, resolver, {url, tls, *redis}, RedisLink::Purpose::subscribing,
                   {.ready = [this] { subscribe_all(); },
                    .reply = [this](const redisReply& reply) { on_reply(reply); }}) {}

  void add(const std::string& channel, replica::Fanout::Receiver receiver);
  void remove(const std::string& channel);
  void subscribe_all();
  void subscribe_some();
  void on_reply(const redisReply& reply);
  void on_subscribed(std::string_view name);
  void on_message(std::string_view name, std::string_view message);

  bool confirmed(const Channel& channel) const {
    return subscriber.ready() && channel.confirmed == subscriber.generation();
  }
  bool links_up() const {
    return publisher.ready() && subscriber.ready() && publisher.pending_bytes() < congested_bytes;
  }

  loop::Loop& loop;
  const RedisUrl url;
  const SharedDependency redis;
  Resolver resolver;
  absl::flat_hash_map<std::string, Channel, StringHash, StringEqual> channels;
  size_t confirmed_count = 0;            // of `channels`, on the present connection
  std::deque<std::string> to_subscribe;  // may hold channels that are gone
  Counters counters;
  RedisLink publisher;
  RedisLink subscriber;
};

void RedisHub::Impl::add(const std::string& channel, replica::Fanout::Receiver receiver) {
  Channel& added = channels[channel];
  if (added.receiver != nullptr) {
    std::fprintf(stderr, "two replicas of one log listen on one loop\n");
    std::abort();
  }
  added.receiver = std::make_shared<replica::Fanout::Receiver>(std::move(receiver));
  if (!subscriber.ready()) return;
  to_subscribe.push_back(channel);
  subscribe_some();
}

void RedisHub::Impl::remove(const std::string& channel) {
  const auto found = channels.find(channel);
  if (confirmed(found->second)) --confirmed_count;
  channels.erase(found);
  // Should it not fit, what still arrives finds nobody.
  (void)subscriber.send({"UNSUBSCRIBE", channel});
}

void RedisHub::Impl::subscribe_all() {
  confirmed_count = 0;
  to_subscribe.clear();
  for (const auto& [name, channel] : channels) to_subscribe.push_back(name);
  subscribe_some();
}

void RedisHub::Impl::subscribe_some() {
  while (!to_subscribe.empty() && subscriber.pending_bytes() < subscribing_bytes_max) {
    if (channels.contains(to_subscribe.front())) {
      (void)subscriber.send({"SUBSCRIBE", to_subscribe.front()});
    }
    to_subscribe.pop_front();
  }
}

void RedisHub::Impl::on_reply(const redisReply& reply) {
  const std::string_view kind = element_text(reply, 0);
  if (kind == "message") {
    on_message(element_text(reply, 1), element_text(reply, 2));
  } else if (kind == "subscribe") {
    on_subscribed(element_text(reply, 1));
  }
}

void RedisHub::Impl::on_subscribed(std::string_view name) {
  subscribe_some();
  const auto found = channels.find(name);
  if (found == channels.end()) return;
  if (!confirmed(found->second)) ++confirmed_count;
  found->second.confirmed = subscriber.generation();
  const auto receiver = found->second.receiver;
  if (receiver->hint) receiver->hint();
}

void RedisHub::Impl::on_message(std::string_view name, std::string_view message) {
  const auto found = channels.find(name);
  if (found == channels.end()) return;
  ++counters.received;
  if (message.size() > message_bytes_max) {
    ++counters.ignored;
    return;
  }
  const auto receiver = found->second.receiver;
  if (receiver->message) receiver->message(message);
}

// ---- The hub ----

Result<std::unique_ptr<RedisHub>> RedisHub::open(loop::Loop& loop, std::string_view url,
                                                 std::shared_ptr<const tls::Source> tls,
                                                 SharedDependency redis) {
  Result<RedisUrl> parsed = RedisUrl::parse(url);
  if (!parsed.ok()) return parsed.status();
  if (!parsed->tls) {
    tls = nullptr;
  } else if (tls == nullptr) {
    auto context = tls::Context::client({}, {});
    if (!context.ok()) return context.status();
    tls = std::make_shared<tls::Source>(*context);
  }
  if (redis == nullptr) redis = std::make_shared<Dependency>(CircuitBreaker::Options{}, nullptr);
  return std::unique_ptr<RedisHub>(
      new RedisHub(std::make_unique<Impl>(loop, std::move(*parsed), tls, std::move(redis))));
}

RedisHub::RedisHub(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RedisHub::~RedisHub() = default;

std::unique_ptr<RedisFanout> RedisHub::fanout(std::string channel) {
  return std::unique_ptr<RedisFanout>(new RedisFanout(*impl_, std::move(channel)));
}

bool RedisHub::up() const {
  return impl_->links_up() && impl_->confirmed_count == impl_->channels.size();
}

Status RedisHub::health() const {
  if (up()) return {};
  for (const RedisLink* link : {&impl_->publisher, &impl_->subscriber}) {
    if (!link->ready()) return link->health();
  }
  return Status(Error::backend_unavailable,
                "Redis " + impl_->url.describe() +
                    (impl_->links_up() ? ": subscribing" : ": it does not keep up"));
}

RedisHub::Counters RedisHub::counters() const {
  Counters counters = impl_->counters;
  for (const RedisLink* link : {&impl_->publisher, &impl_->subscriber}) {
    if (link->generation() > 1) counters.reconnects += link->generation() - 1;
  }
  return counters;
}

// ---- One channel ----

RedisFanout::RedisFanout(RedisHub::Impl& hub, std::string channel)
    : hub_(hub), channel_(std::move(channel)) {}

RedisFanout::~RedisFanout() { subscribe({}); }

void RedisFanout::subscribe(Receiver receiver) {
  if (std::exchange(subscribed_, false)) hub_.remove(channel_);
  if (!receiver.message && !receiver.hint) return;
  subscribed_ = true;
  hub_.add(channel_, std::move(receiver));
}

void RedisFanout::publish(std::string message) {
  const bool sent = message.size() <= RedisHub::message_bytes_max &&
                    hub_.publisher.send({"PUBLISH", channel_, message});
  ++(sent ? hub_.counters.published : hub_.counters.dropped);
}

bool RedisFanout::up() const {
  if (!hub_.links_up()) return false;
  if (!subscribed_) return true;
  const auto found = hub_.channels.find(channel_);
  return found != hub_.channels.end() && hub_.confirmed(found->second);
}

}  // namespace lattice::backends
