#include "handshake_load.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "load/clock.h"

namespace lattice::load {

// One connection after the other.
class HandshakeLoad::Attempt {
 public:
  explicit Attempt(HandshakeLoad& load) : load_(load) {}

  bool idle() const { return !socket_; }

  void start() {
    const Options& options = load_.options_;
    const uint16_t port = options.ports[load_.turn_++ % options.ports.size()];
    began_ns_ = now_ns();
    shaken_ = false;
    socket_.emplace(&load_.tls_);
    if (!socket_->begin(options.host, port)) return fail("the connection was refused");
    readable_.reset(
        event_new(load_.base_.get(), socket_->fd(), EV_READ | EV_PERSIST, on_readable, this));
    event_add(readable_.get(), nullptr);
    // begin() may have read all that comes.
    event_active(readable_.get(), EV_READ, 0);
  }

 private:
  static void on_readable(evutil_socket_t, short, void* self) {
    static_cast<Attempt*>(self)->go_on();
  }

  void go_on() {
    if (!shaken_) {
      const SecureSocket::Step step = socket_->step();
      if (step == SecureSocket::Step::failed) return fail("a handshake failed");
      if (step == SecureSocket::Step::again) return;
      shaken_ = true;
      took_ns_ = now_ns() - began_ns_;
      socket_->finish();
    }
    // The server's own goodbye: all that it does for a connection is done.
    std::array<char, 4096> rest;
    const ssize_t size = socket_->receive(rest.data(), rest.size());
    if (size > 0 || (size < 0 && errno == EAGAIN)) return;
    load_.meter_.record(took_ns_);
    end();
  }

  void fail(std::string_view why) {
    load_.meter_.fail(why);
    load_.stopping_ = true;
    end();
  }

  void end() {
    readable_.reset();
    socket_.reset();
    if (!load_.stopping_) start();
  }

  HandshakeLoad& load_;
  std::optional<SecureSocket> socket_;
  std::unique_ptr<event, EventFree> readable_;
  uint64_t began_ns_ = 0;
  uint64_t took_ns_ = 0;
  bool shaken_ = false;
};

HandshakeLoad::HandshakeLoad(const TlsClient& tls, Meter& meter, const Options& options)
    : tls_(tls), meter_(meter), options_(options), base_(event_base_new()) {
  tick_.reset(event_new(
      base_.get(), -1, EV_PERSIST, [](evutil_socket_t, short, void*) {}, nullptr));
  const timeval interval{0, 10'000};
  event_add(tick_.get(), &interval);
  for (size_t i = 0; i < options.in_flight; ++i) {
    attempts_.push_back(std::make_unique<Attempt>(*this));
  }
}

HandshakeLoad::~HandshakeLoad() = default;

void HandshakeLoad::run() {
  const uint64_t start_ns = now_ns();
  for (const auto& attempt : attempts_) attempt->start();
  const auto idle = [](const auto& attempt) { return attempt->idle(); };
  while (!stopping_ || !std::all_of(attempts_.begin(), attempts_.end(), idle)) {
    event_base_loop(base_.get(), EVLOOP_ONCE);
    const double elapsed = static_cast<double>(now_ns() - start_ns) * 1e-9;
    if (!meter_.window_open() && !stopping_ && elapsed >= options_.warmup_seconds) {
      meter_.open_window();
    }
    if (!stopping_ && elapsed >= options_.warmup_seconds + options_.duration_seconds) {
      stopping_ = true;
      meter_.close_window();
    }
  }
}

}  // namespace lattice::load
