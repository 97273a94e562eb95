#include "replica/announcer.h"

#include <optional>
#include <utility>

namespace lattice::replica {
namespace {
constexpr size_t waiting_max = 64;
}  // namespace

void Announcer::start() {
  if (fanout_ == nullptr) return;
  fanout_->subscribe({[this](std::string_view message) { receive(message); },
                      [this] {
                        if (host_.listens()) host_.on_hint();
                      }});
}

void Announcer::stop() {
  if (fanout_ != nullptr) fanout_->subscribe({});
  fanout_ = nullptr;
}

void Announcer::publish(const Batch& batch) {
  if (fanout_ == nullptr) return;
  // Encoding and its MAC cost as much as a small batch's digest.
  fanout_->publish(encode_fan_message(*keyring_, state_.log.id(), batch.header.position(),
                                      fanout_->carries_batches() ? &batch : nullptr));
}

void Announcer::announce() {
  if (fanout_ == nullptr) return;
  fanout_->publish(encode_fan_message(*keyring_, state_.log.id(), state_.applied, nullptr));
}

void Announcer::leave() {
  if (fanout_ == nullptr) return;
  fanout_->publish(
      encode_fan_message(*keyring_, state_.log.id(), state_.applied, nullptr, /*leaving=*/true));
}

void Announcer::receive(std::string_view bytes) {
  if (!host_.listens()) return;
  std::optional<FanMessage> message = decode_fan_message(*keyring_, state_.log.id(), bytes);
  if (!message) {
    state_.observer.on_rare("a fan-out message was not believed");
    return;
  }
  if (!reader_.reading()) return take(std::move(*message));
  if (waiting_.size() < waiting_max) waiting_.push_back(std::move(*message));
}

void Announcer::take(FanMessage message) {
  if (message.batch && !reader_.offer(std::move(*message.batch))) {
    state_.observer.on_rare("a fan-out message did not follow the log");
  }
  const bool leaving = message.leaving;
  host_.on_announced(message.announced);
  if (leaving) host_.on_leaving();
}

void Announcer::on_read() {
  while (!waiting_.empty() && host_.listens() && !reader_.reading()) {
    FanMessage message = std::move(waiting_.front());
    waiting_.pop_front();
    take(std::move(message));
  }
}

}  // namespace lattice::replica
