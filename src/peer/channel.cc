#include "peer/channel.h"

#include <algorithm>
#include <utility>

#include "peer/method.h"

namespace lattice::peer {
namespace {

// Calls of one turn share a message up to this size. Smaller ones behind a large one need not wait
// for all of it to be checked.
constexpr size_t request_frame_bytes = 256 << 10;
// What the stream holds of ours; the rest waits here, where it is unsent.
constexpr size_t stream_bytes_max = 1 << 20;

}  // namespace

Channel::Channel(Surroundings& around, std::shared_ptr<proxy::ClientContext> context,
                 TroubleLog& trouble, std::string address)
    : around_(around),
      limits_(around.limits),
      context_(std::move(context)),
      trouble_(trouble),
      address_(std::move(address)),
      retry_at_(around.loop.now()),
      last_used_(around.loop.now()) {}

Channel::~Channel() {
  *alive_ = false;
  disconnect();
}

void Channel::call(const Caller& caller, replica::PeerRequest request,
                   Callback<replica::PeerReply> done) {
  const Instant now = around_.loop.now();
  const Duration patience = std::clamp<Duration>(request.patience, {}, std::chrono::hours(1));
  const uint64_t id = ++last_id_;
  Pending pending;
  pending.done = std::move(done);
  pending.alive = caller.alive;
  pending.kind = request.call.index();
  pending.encoded = encode_call(id, caller.log, std::move(request));
  const bool fits = waiting_calls_ < limits_.waiting_calls_max &&
                    waiting_bytes_ + pending.encoded.size() <= limits_.waiting_bytes_max &&
                    pending.encoded.size() + FrameKey::mac_bytes <= limits_.message_bytes_max;
  pending.deadline = fits ? now + std::min(patience, limits_.connect_timeout) : now;
  pending.answer_until = now + patience + limits_.answer_grace;
  waiting_bytes_ += pending.encoded.size();
  ++waiting_calls_;
  waiting_.push_back(id);
  wake_at(pending.deadline);
  pending_.emplace(id, std::move(pending));
  last_used_ = now;
  if (!fits) return;
  if (client_ == nullptr) {
    now >= retry_at_ ? connect() : wake_at(retry_at_);
  } else if (keys_ != nullptr) {
    schedule_flush();
  }
}

void Channel::connect() {
  handshake_ = std::make_unique<ClientHandshake>(around_.keyring, around_.cluster, [&] {
    Nonce nonce;
    around_.random_bytes(nonce);
    return nonce;
  }());
  proxy::ClientOptions options;
  options.connect_timeout = limits_.connect_timeout;
  options.ping_interval = limits_.ping_interval;
  options.ping_timeout = limits_.ping_timeout;
  options.message_bytes_max = limits_.answer_bytes_max;
  options.tls = around_.tls;
  queued_bytes_ = 0;
  client_ = std::make_unique<proxy::Http2Client>(
      *context_, address_, options, [this](const Status& status) { on_lost(status.detail()); });
  stream_ = client_->open(connect_path, {}, *this);
  const std::string hello = handshake_->hello();
  send(Bytes::copy(hello));
  connect_timer_ =
      around_.loop.after(limits_.connect_timeout, [this] { on_lost("no answer in time"); });
}

void Channel::send(Bytes message) {
  queued_bytes_ += message.size();
  stream_->send(ByteChain(std::move(message)));
}

void Channel::on_message(Bytes message) {
  keys_ == nullptr ? on_welcome(message.view()) : on_frame(message.view());
}

void Channel::on_welcome(std::string_view message) {
  Result<ClientHandshake::Success> success = handshake_->on_welcome(message);
  if (!success.ok()) return on_lost(success.status().detail());
  handshake_.reset();
  connect_timer_.reset();
  backoff_ = {};
  send(Bytes::copy(success->proof));
  keys_ = std::make_unique<FrameKeys>(std::move(success->keys));
  flush();
}

void Channel::on_frame(std::string_view message) {
  const std::optional<std::string_view> bytes = keys_->server.open(message);
  if (!bytes) return on_lost("an answer is not authentic");
  std::optional<DecodedFrame> frame = decode_frame(*bytes);
  if (!frame) return on_lost("a malformed answer");
  const std::shared_ptr<bool> alive = alive_;
  for (DecodedAnswer& decoded : frame->answers) {
    answer(std::move(decoded));
    // A callback may have led to the end of the connection, or of this.
    if (!*alive || keys_ == nullptr) return;
  }
}

void Channel::answer(DecodedAnswer decoded) {
  const auto found = pending_.find(decoded.id);
  if (found == pending_.end() || !found->second.sent) return;  // nobody waits any more
  replica::PeerReply& reply = decoded.reply;
  if (reply.answer.ok() && reply.answer->index() != answer_index(found->second.kind)) {
    reply.answer = Status(Error::internal, "the answer to another question");
  }
  settle(decoded.id, std::move(reply));
}

void Channel::on_sent(size_t) {
  if (keys_ != nullptr && !waiting_.empty()) flush();
}

void Channel::on_end(const proxy::ClientStreamEnd& end) { on_lost(end.status.message); }

// Never destroys what may be on the stack: that waits for the end of the turn.
void Channel::disconnect() {
  connect_timer_.reset();
  handshake_.reset();
  keys_.reset();
  if (client_ == nullptr) return;
  client_->close();
  around_.loop.defer(
      [context = context_, client = std::move(client_), stream = std::move(stream_)] {});
}

void Channel::on_lost(const std::string& reason) {
  if (client_ == nullptr) return;
  const uint64_t taken = stream_->taken_bytes();
  disconnect();
  backoff_ = std::clamp(2 * backoff_, limits_.backoff_min, limits_.backoff_max);
  retry_at_ = around_.loop.now() + backoff_;
  std::vector<uint64_t> ids;
  ids.reserve(pending_.size());
  for (auto& [id, pending] : pending_) {
    if (pending.sent && pending.start >= taken) pending.sent = false;
    ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  waiting_.clear();
  trouble_.tell(address_, reason);
  const std::shared_ptr<bool> alive = alive_;
  for (const uint64_t id : ids) {
    const auto found = pending_.find(id);
    if (found != pending_.end()) settle(id, failure(found->second, reason));
    if (!*alive) return;
  }
  wake_at(retry_at_);
}

Status Channel::failure(const Pending& pending, const std::string& reason) const {
  return {pending.sent ? Error::timeout_connection_lost : Error::unsent, address_ + ": " + reason};
}

void Channel::settle(uint64_t id, Result<replica::PeerReply> result) {
  const auto found = pending_.find(id);
  if (!found->second.encoded.empty()) {
    waiting_bytes_ -= found->second.encoded.size();
    --waiting_calls_;
  }
  Pending pending = std::move(found->second);
  pending_.erase(found);
  last_used_ = around_.loop.now();
  if (*pending.alive) pending.done(std::move(result));
}

void Channel::schedule_flush() {
  if (std::exchange(flush_scheduled_, true)) return;
  around_.loop.defer([this, alive = alive_] {
    if (!*alive) return;
    flush_scheduled_ = false;
    if (keys_ != nullptr) flush();
  });
}

void Channel::flush() {
  while (stream_->pending_bytes() < stream_bytes_max) {
    const std::string frame = next_frame();
    if (frame.empty()) break;
    send(keys_->client.seal(frame));
  }
}

std::string Channel::next_frame() {
  std::string frame;
  while (!waiting_.empty()) {
    const auto found = pending_.find(waiting_.front());
    if (found == pending_.end()) {  // settled while it waited
      waiting_.pop_front();
      continue;
    }
    Pending& pending = found->second;
    if (!frame.empty() && frame.size() + pending.encoded.size() > request_frame_bytes) break;
    waiting_.pop_front();
    waiting_bytes_ -= pending.encoded.size();
    --waiting_calls_;
    frame.append(pending.encoded);
    pending.encoded = {};
    pending.sent = true;
    pending.start = queued_bytes_;
    pending.deadline = pending.answer_until;
  }
  return frame;
}

void Channel::wake_at(Instant when) {
  if (when >= wake_at_) return;
  wake_at_ = when;
  const Duration delay = std::max<Duration>(when - around_.loop.now(), {});
  wake_timer_ = around_.loop.after(delay, [this] { on_wake(); });
}

void Channel::on_wake() {
  const Instant now = around_.loop.now();
  wake_at_ = Instant::never();
  const std::shared_ptr<bool> alive = alive_;
  expire(now);
  if (!*alive) return;
  Instant next = Instant::never();
  for (const auto& [id, pending] : pending_) next = std::min(next, pending.deadline);
  if (client_ == nullptr && waiting_calls_ > 0) {
    now >= retry_at_ ? connect() : void(next = std::min(next, retry_at_));
  } else if (client_ != nullptr && pending_.empty()) {
    if (now - last_used_ >= limits_.idle_max) return disconnect();
    next = last_used_ + limits_.idle_max;
  }
  if (next != Instant::never()) wake_at(next);
}

void Channel::expire(Instant now) {
  std::vector<uint64_t> due;
  for (const auto& [id, pending] : pending_) {
    if (pending.deadline <= now) due.push_back(id);
  }
  std::sort(due.begin(), due.end());
  const std::shared_ptr<bool> alive = alive_;
  for (const uint64_t id : due) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) continue;
    settle(id, failure(found->second, found->second.sent ? "no answer" : "could not be sent"));
    if (!*alive) return;
  }
  while (!waiting_.empty() && !pending_.contains(waiting_.front())) waiting_.pop_front();
}

void Channel::forget_dead_callers() {
  std::vector<Callback<replica::PeerReply>> dropped;  // destroyed behind the loop
  for (auto& [id, pending] : pending_) {
    if (!*pending.alive) dropped.push_back(std::exchange(pending.done, {}));
  }
}

bool Channel::disposable() const {
  return client_ == nullptr && pending_.empty() && around_.loop.now() >= retry_at_;
}

}  // namespace lattice::peer
