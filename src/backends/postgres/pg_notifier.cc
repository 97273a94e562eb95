#include "backends/postgres/pg_notifier.h"

#include <algorithm>

#include "base/hex.h"

namespace lattice::backends {
namespace {

// A busy log is published thousands of times a second; nobody needs to be woken as often.
constexpr Duration notify_interval = std::chrono::milliseconds(20);
// PostgreSQL's limit is 7,999 bytes of text.
constexpr size_t message_bytes_max = 3900;

}  // namespace

// One log's end of it: at most one NOTIFY per interval, and one for whatever came in between.
class PgNotifier::ChannelFanout final : public replica::Fanout {
 public:
  ChannelFanout(PgNotifier& notifier, std::string channel)
      : notifier_(notifier), channel_(std::move(channel)) {}
  ~ChannelFanout() override { end(); }

  bool carries_batches() const override { return false; }
  void subscribe(Receiver receiver) override {
    end();
    if (!receiver.hint) return;
    subscription_ = std::make_shared<Subscription>();
    subscription_->receiver = std::move(receiver);
    notifier_.listen(channel_, subscription_);
  }

  void publish(std::string message) override {
    newest_ = message.size() <= message_bytes_max ? std::move(message) : std::string();
    wanted_ = true;
    if (timer_ == nullptr && !in_flight_) notify();
  }

 private:
  void end() {
    if (subscription_ == nullptr) return;
    subscription_->ended = true;
    notifier_.unlisten(channel_, subscription_);
    subscription_.reset();
  }

  void notify() {
    wanted_ = false;
    in_flight_ = true;
    timer_ = notifier_.loop_.after(notify_interval, [this] {
      timer_.reset();
      if (wanted_ && !in_flight_) notify();
    });
    notifier_.notify(channel_, newest_, [this, alive = std::weak_ptr<bool>(alive_)] {
      if (alive.expired()) return;
      in_flight_ = false;
      if (wanted_ && timer_ == nullptr) notify();
    });
  }

  PgNotifier& notifier_;
  std::string channel_;
  std::shared_ptr<Subscription> subscription_;
  std::string newest_;
  bool wanted_ = false;     // something was published since the last NOTIFY was sent
  bool in_flight_ = false;  // its answer is still out
  std::unique_ptr<loop::TimerHandle> timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

PgNotifier::PgNotifier(loop::Loop& loop, Connect connect) : loop_(loop) {
  PgConnection::Options options;
  // Nothing of theirs is worth a wait for the disk.
  options.durability.mode = PgDurabilityMode::async;
  options.application_name = "lattice listen";
  options.on_ready = [this] { listen_to_all(); };
  options.on_notification = [this](std::string_view channel, std::string_view payload) {
    deliver(std::string(channel), from_hex(payload));
  };
  listen_ = connect(std::move(options));
  options = PgConnection::Options();
  options.durability.mode = PgDurabilityMode::async;
  options.application_name = "lattice notify";
  notify_ = connect(std::move(options));
}

PgNotifier::~PgNotifier() = default;

std::string PgNotifier::channel_of(const replica::LogId& log) { return "lattice_" + to_hex(log); }

std::unique_ptr<replica::Fanout> PgNotifier::open(const replica::LogId& log) {
  return std::make_unique<ChannelFanout>(*this, channel_of(log));
}

// ---- Listening ----

void PgNotifier::listen(const std::string& channel, std::shared_ptr<Subscription> subscription) {
  channels_[channel].push_back(std::move(subscription));
  // Otherwise it is listened to as soon as there is a connection.
  if (listen_->ready()) {
    run_listen("LISTEN " + channel, {channel});
  } else {
    listen_->start();
  }
}

void PgNotifier::unlisten(const std::string& channel,
                          const std::shared_ptr<Subscription>& subscription) {
  const auto entry = channels_.find(channel);
  if (entry == channels_.end()) return;
  std::erase(entry->second, subscription);
  if (!entry->second.empty()) return;
  channels_.erase(entry);
  if (listen_->ready()) run_listen("UNLISTEN " + channel, {});
}

void PgNotifier::listen_to_all() {
  std::string script;
  std::vector<std::string> channels;
  for (const auto& [channel, ignored] : channels_) {
    script += "LISTEN " + channel + ";";
    channels.push_back(channel);
  }
  if (!channels.empty()) run_listen(std::move(script), std::move(channels));
}

void PgNotifier::run_listen(std::string script, std::vector<std::string> channels) {
  PgCommand command;
  command.form = PgCommand::Form::script;
  command.text = std::move(script);
  command.done = [this, channels = std::move(channels)](PgReply reply) {
    if (reply.done()) {
      // What was notified before this is not heard of in any other way.
      hint(channels);
    } else if (reply.outcome == PgReply::Outcome::refused) {
      listen_->reset(std::move(reply.status));
    }
  };
  listen_->execute(std::move(command));
}

void PgNotifier::hint(const std::vector<std::string>& channels) {
  const std::weak_ptr<bool> alive = alive_;
  for (const std::string& channel : channels) {
    deliver(channel, {});
    if (alive.expired()) return;
  }
}

void PgNotifier::deliver(const std::string& channel, std::string_view message) {
  const auto entry = channels_.find(channel);
  if (entry == channels_.end()) return;
  const std::weak_ptr<bool> alive = alive_;
  const Subscriptions subscriptions = entry->second;  // a receiver may change it
  for (const auto& subscription : subscriptions) {
    replica::Fanout::Receiver& receiver = subscription->receiver;
    if (!subscription->ended) {
      message.empty() || !receiver.message ? receiver.hint() : receiver.message(message);
    }
    if (alive.expired()) return;
  }
}

// ---- Notifying ----

void PgNotifier::notify(const std::string& channel, const std::string& message,
                        absl::AnyInvocable<void()> done) {
  PgCommand command;
  command.form = PgCommand::Form::script;
  command.text = "NOTIFY " + channel + ", '" + to_hex(message) + "'";
  command.patience = std::chrono::seconds(2);
  command.done = [this, done = std::move(done)](PgReply reply) mutable {
    if (!reply.done()) ++lost_;
    done();
  };
  notify_->execute(std::move(command));
}

}  // namespace lattice::backends
