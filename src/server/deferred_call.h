// A call that cannot begin yet: what its client sends meanwhile is kept, and given to the call that
// it becomes.
// Thread: the connection's loop.
// Ownership: the transport's (proxy/call.h).
// Limits: the client is stopped when the call comes, so it sends what its window lets it.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "proxy/call.h"

namespace lattice::server {

class DeferredCall final : public proxy::Call {
 public:
  explicit DeferredCall(proxy::ServerStream& stream) : stream_(stream) { stream.pause_input(true); }

  // For the callback that will begin() it.
  std::shared_ptr<const bool> alive() const { return guard_.token(); }
  // Not within one of its callbacks. Nothing if the client has gone.
  void begin(absl::AnyInvocable<std::unique_ptr<proxy::Call>()> start) {
    if (gone_) return;
    call_ = start();
    stream_.pause_input(false);
    std::vector<Bytes> kept = std::move(kept_);
    for (Bytes& message : kept) call_->on_message(std::move(message));
    if (half_closed_) call_->on_half_close();
  }

  void on_message(Bytes message) override {
    call_ == nullptr ? kept_.push_back(std::move(message)) : call_->on_message(std::move(message));
  }
  void on_half_close() override {
    half_closed_ = true;
    if (call_ != nullptr) call_->on_half_close();
  }
  void on_sent(size_t bytes) override {
    if (call_ != nullptr) call_->on_sent(bytes);
  }
  void on_cancel() override {
    gone_ = true;
    if (call_ != nullptr) call_->on_cancel();
  }

 private:
  proxy::ServerStream& stream_;
  std::unique_ptr<proxy::Call> call_;  // null: it has not begun
  std::vector<Bytes> kept_;
  bool half_closed_ = false;
  bool gone_ = false;
  proxy::CallGuard guard_;
};

}  // namespace lattice::server
