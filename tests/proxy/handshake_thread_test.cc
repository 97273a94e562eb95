// Handshakes beside the loop: what the loop does while a step is held, and what becomes of the step
// when nobody waits for it any more.
#include <dirent.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "proxy/test_client.h"
#include "proxy/tls_world.h"

namespace lattice::proxy {
namespace {

// Holds every server's handshake under a context at the choice of its certificate. Outlives the
// listener.
class Gate {
 public:
  void guard(const tls::Source& source) {
    context_ = source.get();
    SSL_CTX_set_cert_cb(
        context_->get(),
        [](SSL*, void* self) {
          static_cast<Gate*>(self)->pass();
          return 1;
        },
        this);
  }
  void shut() { set(false); }
  void open() { set(true); }
  // Whether somebody stands before it.
  bool holds() {
    std::lock_guard lock(mutex_);
    return waiting_ > 0;
  }
  // Handshakes that have begun, ever.
  long begun() const { return SSL_CTX_sess_accept(context_->get()); }

 private:
  void set(bool open) {
    std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    // On the loop's thread nobody could open it.
    CHECK(changed_.wait_for(lock, std::chrono::minutes(1), [this] { return open_; }));
    --waiting_;
  }

  std::shared_ptr<const tls::Context> context_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int waiting_ = 0;
};

// A TLS client without anything above it.
class Newcomer {
 public:
  explicit Newcomer(const World& world) : stream_(context(), connection_to(world), "127.0.0.1") {
    shake();
  }
  // Whether the handshake is over.
  bool shake() {
    std::array<char, 1000> buffer;
    (void)stream_.send({});
    last_ = stream_.receive(buffer).kind;
    return stream_.established();
  }
  bool sent_away() {
    shake();
    return last_ == tls::Stream::Kind::end || last_ == tls::Stream::Kind::failed;
  }
  int fd() const { return stream_.fd(); }

 private:
  static const std::shared_ptr<const tls::Context>& context() {
    static const auto shared = *tls::Context::client(world().client_files(), {.protocols = {"h2"}});
    return shared;
  }
  static int connection_to(const World& world) {
    const int fd = connect_to(world.listener->address());
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
  }

  tls::Stream stream_;
  tls::Stream::Kind last_ = tls::Stream::Kind::would_block;
};

// So many have been accepted, and what they have sent before that was read.
void let_in(World& world, size_t count) {
  REQUIRE(world.until([&] { return world.listener->connection_count() == count; }));
  world.loop.turn();
}

size_t open_descriptors() {
  DIR* const folder = opendir("/proc/self/fd");
  size_t count = 0;
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

TEST_CASE("a handshake keeps nobody waiting who is connected") {
  Gate gate;
  World world_(/*with_tls=*/true, patience_default);
  gate.guard(*world_.source);
  Caller alice(world_, world().client_files());
  CHECK(alice.call("Who", "") == "alice@");
  gate.shut();
  Newcomer newcomer(world_);
  REQUIRE(world_.until([&] { return gate.holds(); }));
  CHECK(alice.call("Who", "") == "alice@");
  CHECK(alice.call("Echo", std::string(100'000, 'x')).size() == 100'000);
  CHECK_FALSE(newcomer.shake());
  CHECK(gate.holds());
  gate.open();
  CHECK(world_.until([&] { return newcomer.shake(); }));
  CHECK(alice.call("Who", "") == "alice@");
}

TEST_CASE("waiting for the thread is not the peer's silence") {
  Gate gate;
  World world_(/*with_tls=*/true, std::chrono::seconds(1));
  gate.guard(*world_.source);
  gate.shut();
  Newcomer held(world_);
  Newcomer behind(world_);
  REQUIRE(world_.until([&] { return gate.holds(); }));
  let_in(world_, 2);
  const int silent = connect_to(world_.listener->address());
  REQUIRE(world_.until([&] { return world_.failures.count["timeout"] == 1; }));
  CHECK(world_.listener->connection_count() == 2);
  gate.open();
  CHECK(world_.until([&] { return held.shake() && behind.shake(); }));
  // From then on it is.
  CHECK(world_.until([&] { return world_.listener->connection_count() == 0; }));
  close(silent);
}

TEST_CASE("what comes during a step is read after it") {
  Gate gate;
  World world_(/*with_tls=*/true, patience_default);
  gate.guard(*world_.source);
  gate.shut();
  Newcomer newcomer(world_);
  REQUIRE(world_.until([&] { return gate.holds(); }));
  const std::string nonsense(100, '\xff');
  CHECK(write(newcomer.fd(), nonsense.data(), nonsense.size()) == 100);
  for (int i = 0; i < 5; ++i) world_.loop.turn();
  CHECK(world_.failures.count.empty());
  gate.open();
  CHECK(world_.until([&] { return world_.failures.count["protocol"] == 1; }));
  CHECK(world_.until([&] { return newcomer.sent_away(); }));
}

TEST_CASE("no step is taken for who is gone") {
  constexpr size_t count = 20;
  Gate gate;
  World world_(/*with_tls=*/true, patience_default);
  gate.guard(*world_.source);
  gate.shut();
  std::vector<std::unique_ptr<Newcomer>> newcomers;
  for (size_t i = 0; i < count; ++i) newcomers.push_back(std::make_unique<Newcomer>(world_));
  REQUIRE(world_.until([&] { return gate.holds(); }));
  let_in(world_, count);
  bool drained = false;
  world_.listener->drain(std::chrono::minutes(1), [&] { drained = true; });
  CHECK(world_.until([&] { return drained; }));
  CHECK(world_.listener->connection_count() == 0);
  gate.open();
  for (const auto& newcomer : newcomers) {
    CHECK(world_.until([&] { return newcomer->sent_away(); }));
  }
  world_.listener.reset();
  CHECK(gate.begun() == 1);
}

TEST_CASE("a listener stops while thousands wait for their handshakes") {
  constexpr size_t count = 2000;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  Gate gate;
  World world_(/*with_tls=*/true, patience_default);
  gate.guard(*world_.source);
  gate.shut();
  const size_t before = open_descriptors();
  std::vector<std::unique_ptr<Newcomer>> newcomers;
  for (size_t i = 0; i < count; ++i) {
    newcomers.push_back(std::make_unique<Newcomer>(world_));
    world_.loop.turn();  // or the kernel's queue of those to be accepted is full
  }
  REQUIRE(world_.until([&] { return gate.holds(); }));
  let_in(world_, count);
  std::thread opener([&] { gate.open(); });
  world_.listener.reset();
  opener.join();
  world_.loop.turn();
  CHECK(std::ranges::all_of(newcomers, [](const auto& each) { return each->sent_away(); }));
  newcomers.clear();
  CHECK(open_descriptors() < before);  // the listener's own are gone as well
}

}  // namespace
}  // namespace lattice::proxy
