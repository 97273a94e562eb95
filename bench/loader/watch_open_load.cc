#include "watch_open_load.h"

#include <algorithm>
#include <deque>
#include <string>

#include "load/clock.h"
#include "load/etcd_messages.h"

namespace lattice::load {

class WatchOpenLoad::Stream : public Call {
 public:
  Stream(WatchOpenLoad& load, Connection& connection) : load_(load), connection_(connection) {}

  void start(size_t watches) {
    std::string body;
    for (size_t i = 0; i < watches; ++i) add_create(body);
    connection_.start(*this, watch_path, std::move(body), true);
  }

  // The server makes watches in the order in which they are asked for.
  void on_message(std::string_view message) override {
    WatchAnswer answer;
    if (!decode_watch(message, answer, [](uint64_t, std::string_view) {})) {
      return load_.meter_.fail("a watch response does not decode");
    }
    if (!answer.created) return;
    if (sent_ns_.empty()) return load_.meter_.fail("a watch that nobody has asked for");
    const uint64_t since = sent_ns_.front();
    sent_ns_.pop_front();
    --load_.in_flight_;
    std::string body;
    if (answer.canceled) {
      load_.meter_.fail("a new watch is refused");
    } else {
      load_.meter_.record(now_ns() - since);
      encode_watch_cancel(body, answer.watch_id);
    }
    if (!load_.stopping_) add_create(body);
    if (!body.empty()) connection_.send(*this, body);
  }

  void on_end(int grpc_status, std::string_view grpc_message) override {
    load_.in_flight_ -= sent_ns_.size();
    sent_ns_.clear();
    load_.meter_.fail("a watch stream ended with grpc-status " + std::to_string(grpc_status) +
                      ": " + std::string(grpc_message));
  }

 private:
  void add_create(std::string& body) {
    encode_watch_create(body, load_.keys_.key(load_.random_() % load_.options_.keys));
    sent_ns_.push_back(now_ns());
    ++load_.in_flight_;
  }

  WatchOpenLoad& load_;
  Connection& connection_;
  std::deque<uint64_t> sent_ns_;  // of the watches that are being made
};

WatchOpenLoad::WatchOpenLoad(Client& client, const KeySpace& keys, Meter& meter,
                             const Options& options)
    : client_(client), keys_(keys), meter_(meter), options_(options), random_(options.seed) {
  for (uint64_t i = 0; i < options.streams; ++i) {
    streams_.push_back(
        std::make_unique<Stream>(*this, client.connection(i % client.connection_count())));
  }
}

WatchOpenLoad::~WatchOpenLoad() = default;

bool WatchOpenLoad::run() {
  const uint64_t start_ns = now_ns();
  const size_t each = std::max<size_t>(options_.in_flight / streams_.size(), 1);
  for (const auto& stream : streams_) stream->start(each);
  return client_.run_until([&] {
    const double elapsed = static_cast<double>(now_ns() - start_ns) * 1e-9;
    stopping_ = meter_.follow(elapsed, options_.warmup_seconds, options_.duration_seconds);
    return stopping_ && in_flight_ == 0;
  });
}

}  // namespace lattice::load
