#include "lease_load.h"

#include "load/clock.h"
#include "load/etcd_messages.h"

namespace lattice::load {
namespace {

constexpr int64_t ttl_seconds = 300;
constexpr int64_t first_lease = 7'000'000;

void encode_grant(std::string& out, int64_t id) { encode_lease_grant(out, id, ttl_seconds); }

}  // namespace

// One keep-alive stream; it renews every n-th lease in turn.
class LeaseLoad::Stream : public Call {
 public:
  Stream(LeaseLoad& load, Connection& connection, uint64_t index)
      : load_(load), connection_(connection), lease_(index % load.options_.leases) {}

  void start() {
    std::string body;
    encode_lease_id(body, id());
    sent_ns_ = now_ns();
    ++load_.in_flight_;
    connection_.start(*this, lease_keep_alive_path, std::move(body), true);
  }

  void on_message(std::string_view message) override {
    load_.meter_.record(now_ns() - sent_ns_);
    LeaseAnswer answer;
    if (!decode_lease(message, answer)) load_.meter_.fail("a keep-alive does not decode");
    if (answer.id != id() || answer.ttl_seconds != ttl_seconds) {
      load_.meter_.fail("a keep-alive answers with a wrong id or TTL");
    }
    --load_.in_flight_;
    if (load_.stopping_) return;
    lease_ = (lease_ + load_.options_.streams) % load_.options_.leases;
    std::string body;
    encode_lease_id(body, id());
    sent_ns_ = now_ns();
    ++load_.in_flight_;
    connection_.send(*this, body);
  }

  void on_end(int grpc_status, std::string_view grpc_message) override {
    load_.meter_.fail("a keep-alive stream ended with grpc-status " + std::to_string(grpc_status) +
                      ": " + std::string(grpc_message));
  }

 private:
  int64_t id() const { return first_lease + static_cast<int64_t>(lease_); }

  LeaseLoad& load_;
  Connection& connection_;
  uint64_t lease_;
  uint64_t sent_ns_ = 0;
};

LeaseLoad::LeaseLoad(Client& client, Meter& meter, const Options& options)
    : client_(client), meter_(meter), options_(options) {
  for (uint64_t i = 0; i < options.streams; ++i) {
    Connection& connection = client.connection(i % client.connection_count());
    streams_.push_back(std::make_unique<Stream>(*this, connection, i));
  }
}

LeaseLoad::~LeaseLoad() = default;

bool LeaseLoad::for_each_lease(std::string_view path, void (*encode)(std::string&, int64_t)) {
  for (uint64_t i = 0; i < options_.leases; ++i) {
    std::string body;
    std::string answer;
    encode(body, first_lease + static_cast<int64_t>(i));
    if (!client_.call(path, std::move(body), answer)) {
      meter_.fail(std::string(path) + ": " + answer);
      return client_.error().empty();
    }
  }
  return true;
}

bool LeaseLoad::run() {
  if (!for_each_lease(lease_grant_path, encode_grant)) return false;
  if (!meter_.failures().empty()) return true;
  const uint64_t start_ns = now_ns();
  for (const auto& stream : streams_) stream->start();
  const bool alive = client_.run_until([&] {
    const double elapsed = static_cast<double>(now_ns() - start_ns) * 1e-9;
    stopping_ = meter_.follow(elapsed, options_.warmup_seconds, options_.duration_seconds);
    return (stopping_ && in_flight_ == 0) || !meter_.failures().empty();
  });
  if (!alive) return false;
  return for_each_lease(lease_revoke_path, encode_lease_id);
}

}  // namespace lattice::load
