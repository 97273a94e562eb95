// The connections of a run and the loop that turns them.
// Thread: the loader's only thread.
// Ownership: owns its connections; borrows calls.
#pragma once

#include <event2/event.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "load/clock.h"
#include "load/connection.h"

namespace lattice::load {

class Client final : private ConnectionOwner {
 public:
  Client();
  ~Client();

  // From now on connections speak TLS. Empty when the settings will do.
  std::string use_tls(const TlsOptions& options);
  // Opens `count` more connections to host:port. False on failure; error() says why.
  bool open(const std::string& host, uint16_t port, size_t count, Windows windows = Windows::wide);
  size_t connection_count() const { return connections_.size(); }
  Connection& connection(size_t i) { return *connections_[i]; }

  // Turns the loop until `done()`, at least once a millisecond. False when a connection was lost
  // or nothing arrived for stall_seconds.
  template <class Done>
  bool run_until(Done&& done);

  // One unary call, waited for. False unless it ended with grpc-status 0.
  bool call(std::string_view path, std::string body, std::string& answer) {
    return call(connection(0), path, std::move(body), answer);
  }
  bool call(Connection& connection, std::string_view path, std::string body, std::string& answer);

  // Called about once a millisecond while the loop turns.
  void on_turn(std::function<void()> callback) { on_turn_ = std::move(callback); }

  const std::string& error() const { return error_; }

 private:
  void on_dirty(Connection& connection) override { dirty_.push_back(&connection); }
  void on_received() override { received_ns_ = now_ns(); }
  void on_lost(std::string_view why) override { error_ = why; }
  // Flushes, then waits for events; false when a connection was lost.
  bool turn();

  struct BaseFree {
    void operator()(event_base* b) const { event_base_free(b); }
  };
  struct EventFree {
    void operator()(event* e) const { event_free(e); }
  };

  std::unique_ptr<TlsClient> tls_;  // null: plaintext
  std::unique_ptr<event_base, BaseFree> base_;
  std::unique_ptr<event, EventFree> tick_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> dirty_;
  std::function<void()> on_turn_;
  uint64_t received_ns_ = 0;
  std::string error_;
};

template <class Done>
bool Client::run_until(Done&& done) {
  received_ns_ = now_ns();
  while (!done()) {
    if (!turn()) return false;
  }
  return true;
}

}  // namespace lattice::load
