// Accepting, counting and draining connections.
//
// Limits::concurrent_streams_max keeps etcd's default of "unlimited", which is announced to nobody;
// the session still refuses streams beyond a hundred thousand on one connection (http2_session.cc),
// so that one peer's open calls end somewhere.
#include "proxy/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "loop/side_thread.h"
#include "proxy/connection.h"
#include "proxy/context.h"
#include "proxy/socket_address.h"
#include "proxy/tls_transport.h"

namespace lattice::proxy {
namespace {

// Connections taken per turn, and for how long; the rest wait in the kernel's queue while others
// are served. One takes 20 to 50 us: 64 at once made everybody else wait for three milliseconds.
constexpr int accepts_per_turn = 64;
constexpr Duration accepting_max = std::chrono::microseconds(100);
// How long accepting rests when the process or the machine has no descriptor left.
constexpr Duration accept_pause = std::chrono::milliseconds(100);

int spare_descriptor() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

// Often enough to notice the shortest of the time limits within a quarter of it.
Duration tick_interval(const Limits& limits) {
  Duration shortest =
      std::chrono::seconds(1);  // the fixed ones of connection.cc and http2_session.cc
  for (const Duration limit :
       {limits.connection_idle_max, limits.connection_age_max, limits.connection_age_grace,
        limits.preface_timeout, limits.keepalive_interval, limits.keepalive_timeout,
        limits.write_stall_max}) {
    if (limit.count() > 0) shortest = std::min(shortest, limit);
  }
  return std::max<Duration>(shortest / 4, std::chrono::milliseconds(5));
}

// Behind the loops: whoever connects can ask for 0.2 ms of it, and nobody who is connected is to
// wait for that.
std::unique_ptr<loop::SideThread> handshake_thread(loop::Loop& loop) {
  return std::make_unique<loop::SideThread>(loop, "handshakes", /*waiting_max=*/SIZE_MAX,
                                            loop::SideThread::Priority::behind_loops);
}

}  // namespace

class Listener::Impl final : public ConnectionOwner {
 public:
  Impl(loop::Loop& loop, int fd, const Router& router, const Limits& limits, Observer* observer,
       std::shared_ptr<const tls::Source> tls, Sharing sharing)
      : loop_(loop),
        tls_(std::move(tls)),
        handshakes_(tls_ == nullptr ? nullptr : handshake_thread(loop)),
        counts_(std::move(sharing.counts)),
        context_(
            std::make_shared<Context>(loop, router, limits, observer, sharing.shares, counts_)),
        fd_(fd),
        spare_fd_(spare_descriptor()),
        address_(local_address(fd)),
        tick_interval_(tick_interval(limits)) {
    watch_ = loop.watch(fd, [this](bool, bool) { accept_some(); });
    watch_->want(/*read=*/true, /*write=*/false);
  }

  ~Impl() override {
    stop_listening();
    while (!connections_.empty()) connections_.back()->close();
    if (spare_fd_ >= 0) ::close(spare_fd_);
  }

  const std::string& address() const { return address_; }
  size_t connection_count() const { return connections_.size(); }

  void drain(Duration deadline, loop::Task done) {
    stop_listening();
    drained_ = std::move(done);
    drain_timer_ = loop_.after(deadline, [this] {
      while (!connections_.empty()) connections_.back()->close();
      report_drained();
    });
    // By value: draining may close connections, which changes the list.
    std::vector<Connection*> all;
    all.reserve(connections_.size());
    for (const auto& connection : connections_) all.push_back(connection.get());
    for (Connection* connection : all) connection->begin_drain();
    report_drained();
  }

  void on_closed(Connection& connection) override {
    const size_t index = connection.index;
    std::unique_ptr<Connection> dead = std::move(connections_[index]);
    if (index + 1 < connections_.size()) {
      connections_[index] = std::move(connections_.back());
      connections_[index]->index = index;
    }
    connections_.pop_back();
    give_place_back(dead->source);
    // Behind the flush that may be pending for it.
    loop_.defer([dead = std::move(dead)] {});
    report_drained();
  }

 private:
  void stop_listening() {
    watch_.reset();
    accept_pause_.reset();
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  void report_drained() {
    if (!drained_ || !connections_.empty()) return;
    drain_timer_.reset();
    // Later, because the task may destroy the listener.
    loop_.defer(std::exchange(drained_, {}));
  }

  void accept_some() {
    const Instant give_up = loop_.fresh_now() + accepting_max;
    for (int i = 0; i < accepts_per_turn && loop_.fresh_now() < give_up; ++i) {
      sockaddr_storage address{};
      socklen_t size = sizeof address;
      const int fd =
          accept4(fd_, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        add(fd, address);
        continue;
      }
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) on_accept_failure();
      return;
    }
  }

  void add(int fd, const sockaddr_storage& address) {
    std::string peer = print_address(address);
    const bool by_source = context_->limits.connections_per_address_max > 0;
    std::string source = by_source ? source_of(address) : std::string();
    if (std::string_view limit = take_place(source); !limit.empty()) {
      ::close(fd);
      return tell_refusal(peer, limit);
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::unique_ptr<Transport> transport = tls_ == nullptr
                                               ? make_plain_transport(fd)
                                               : make_tls_transport(tls_->get(), fd, *handshakes_);
    auto connection =
        std::make_unique<Connection>(context_, *this, std::move(transport), std::move(peer));
    connection->index = connections_.size();
    connection->source = std::move(source);
    connections_.push_back(std::move(connection));
    if (tick_timer_ == nullptr) start_ticking();
  }

  // The limit that is in the way; empty: the connection is counted.
  std::string_view take_place(const std::string& source) {
    const Limits& limits = context_->limits;
    if (counts_->all.fetch_add(1, std::memory_order_relaxed) >= limits.connections_max) {
      counts_->all.fetch_sub(1, std::memory_order_relaxed);
      return "max_connections are open";
    }
    if (source.empty() || counts_->by_source.add(source, limits.connections_per_address_max)) {
      return {};
    }
    counts_->all.fetch_sub(1, std::memory_order_relaxed);
    return "max_connections_per_ip are open from its address";
  }
  void give_place_back(const std::string& source) {
    counts_->all.fetch_sub(1, std::memory_order_relaxed);
    if (!source.empty()) counts_->by_source.remove(source);
  }
  void tell_refusal(std::string_view peer, std::string_view limit) {
    if (context_->observer == nullptr) return;
    const bool tell = context_->told_failures.take(loop_.now());
    context_->observer->on_transport_failure(peer, {"limit", std::string(limit), {}, {}, {}}, tell);
  }

  // Without descriptors the waiting connection can neither be taken nor be refused, and the
  // listening socket stays readable for ever. The spare one is given up to accept and drop it; then
  // accepting rests.
  void on_accept_failure() {
    if (spare_fd_ >= 0) {
      ::close(spare_fd_);
      const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) ::close(fd);
      spare_fd_ = spare_descriptor();
    }
    watch_->want(/*read=*/false, /*write=*/false);
    accept_pause_ = loop_.after(accept_pause, [this] {
      if (spare_fd_ < 0) spare_fd_ = spare_descriptor();
      watch_->want(/*read=*/true, /*write=*/false);
    });
  }

  void start_ticking() {
    tick_timer_ = loop_.after(tick_interval_, [this] {
      const Instant now = loop_.now();
      // Backwards: a tick may close its connection, which moves the last one into its place.
      for (size_t i = connections_.size(); i > 0; --i) {
        if (i <= connections_.size()) connections_[i - 1]->tick(now);
      }
      tick_timer_.reset();
      if (!connections_.empty()) start_ticking();
    });
  }

  loop::Loop& loop_;
  const std::shared_ptr<const tls::Source> tls_;  // null: plaintext
  // With tls_. What waits for it is bounded by the connections.
  const std::unique_ptr<loop::SideThread> handshakes_;
  const std::shared_ptr<ConnectionCounts> counts_;
  std::shared_ptr<Context> context_;
  int fd_;
  int spare_fd_;  // see on_accept_failure(); -1 while there is none
  std::string address_;
  Duration tick_interval_;
  std::unique_ptr<loop::FdWatch> watch_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::unique_ptr<loop::TimerHandle> tick_timer_;
  std::unique_ptr<loop::TimerHandle> accept_pause_;
  std::unique_ptr<loop::TimerHandle> drain_timer_;
  loop::Task drained_;  // empty: no drain under way
};

Result<std::unique_ptr<Listener>> Listener::listen(loop::Loop& loop, const std::string& address,
                                                   const Router& router, const Limits& limits,
                                                   Observer* observer, bool reuse_port,
                                                   std::shared_ptr<const tls::Source> tls,
                                                   Sharing sharing) {
  Result<int> fd = listen_tcp(address, reuse_port);
  if (!fd.ok()) return fd.status();
  auto impl = std::make_unique<Impl>(loop, *fd, router, limits, observer, std::move(tls),
                                     std::move(sharing));
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::~Listener() = default;

std::string Listener::address() const { return impl_->address(); }
size_t Listener::connection_count() const { return impl_->connection_count(); }
void Listener::drain(Duration deadline, loop::Task done) {
  impl_->drain(deadline, std::move(done));
}

}  // namespace lattice::proxy
