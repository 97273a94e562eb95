#include "server/fan_out.h"

#include <utility>

#include "backends/common/fanout_pair.h"
#include "backends/redis/redis_hub.h"
#include "base/hex.h"

namespace lattice::server {
namespace {

std::string channel_of(const replica::LogId& log) { return "lattice:{" + to_hex(log) + "}"; }

}  // namespace

FanOut::FanOut(std::unique_ptr<backends::RedisHub> redis) : redis_(std::move(redis)) {}
FanOut::~FanOut() = default;

Result<std::unique_ptr<FanOut>> FanOut::open(loop::Loop& loop, const std::string& url,
                                             std::shared_ptr<const tls::Source> tls,
                                             SharedDependency dependency) {
  if (url.empty()) return std::unique_ptr<FanOut>(new FanOut(nullptr));
  auto redis = backends::RedisHub::open(loop, url, std::move(tls), std::move(dependency));
  if (!redis.ok()) return redis.status();
  return std::unique_ptr<FanOut>(new FanOut(std::move(*redis)));
}

std::unique_ptr<replica::Fanout> FanOut::join(const replica::LogId& log,
                                              std::unique_ptr<replica::Fanout> database) {
  if (redis_ == nullptr) return database;
  std::unique_ptr<backends::RedisFanout> redis = redis_->fanout(channel_of(log));
  if (database == nullptr) return redis;
  const backends::RedisFanout* asked = redis.get();
  return std::make_unique<backends::FanoutPair>(
      std::move(redis), [asked] { return asked->up(); }, std::move(database));
}

Status FanOut::health() const { return redis_ == nullptr ? Status() : redis_->health(); }

}  // namespace lattice::server
