#include "load/watch_load.h"

#include "load/clock.h"
#include "load/etcd_messages.h"

namespace lattice::load {

// One put, or one transaction of puts, in flight. Its nonces are its index plus multiples of the
// number of putters, so an event finds its putter by its nonce.
class WatchLoad::Putter : public Call {
 public:
  Putter(WatchLoad& load, Connection& connection, uint64_t index)
      : load_(load), connection_(connection), nonce_(index) {}

  void start() {
    const Options& options = load_.options_;
    nonce_ += load_.putters_.size();
    answered_ = false;
    const uint64_t keys = options.mode == Mode::watch_hot ? 1 : options.watchers;
    uint64_t number = load_.random_() % keys;
    std::string body;
    TxnOfPuts txn;
    const uint64_t now = now_ns();
    for (uint64_t i = 0; i < options.txn_puts; ++i, number = (number + 1) % keys) {
      std::string value;
      load_.keys_.append_value(value, {number, nonce_, now});
      const std::string key = load_.keys_.key(number);
      if (options.txn_puts == 1) {
        encode_put(body, key, value);
      } else {
        txn.add(key, value);
      }
    }
    if (options.txn_puts > 1) txn.finish(body);
    events_missing_ = options.txn_puts * load_.watchers_per_key();
    load_.events_expected_ += events_missing_;
    load_.ledger_.sent();
    connection_.start(*this, options.txn_puts == 1 ? put_path : txn_path, std::move(body), false);
  }

  void on_event(uint64_t nonce) {
    if (nonce != nonce_) return;
    --events_missing_;
    settle();
  }

  void on_message(std::string_view message) override {
    int64_t revision = 0;
    if (!decode_revision(message, revision)) load_.meter_.fail("a put's answer does not decode");
    load_.ledger_.answered(revision);
  }

  void on_end(int grpc_status, std::string_view grpc_message) override {
    if (grpc_status != 0) {
      load_.meter_.fail("put: grpc-status " + std::to_string(grpc_status) + ": " +
                        std::string(grpc_message));
    }
    answered_ = true;
    settle();
  }

 private:
  void settle() {
    if (!answered_ || (load_.options_.pace_by_events && events_missing_ != 0)) return;
    answered_ = false;
    load_.idle_.push_back(this);
    load_.put_more();
  }

  WatchLoad& load_;
  Connection& connection_;
  uint64_t nonce_;
  uint64_t events_missing_ = 0;
  bool answered_ = false;
};

WatchLoad::WatchLoad(Client& client, const KeySpace& keys, Meter& meter, RevisionLedger& ledger,
                     const Options& options)
    : client_(client),
      keys_(keys),
      meter_(meter),
      ledger_(ledger),
      options_(options),
      random_(options.seed) {
  // The last ones are the puts' own, if there are such.
  const size_t first = client.connection_count() - options.connections;
  for (size_t i = 0; i < options.in_flight; ++i) {
    Connection& connection = client.connection(first + i % options.connections);
    putters_.push_back(std::make_unique<Putter>(*this, connection, i));
    idle_.push_back(putters_.back().get());
  }
}

WatchLoad::~WatchLoad() = default;

uint64_t WatchLoad::watchers_per_key() const {
  return options_.mode == Mode::watch_hot ? options_.watchers : 1;
}

bool WatchLoad::create_watches() {
  std::vector<std::vector<uint64_t>> numbers(options_.streams);
  for (uint64_t i = 0; i < options_.watchers; ++i) {
    numbers[i % options_.streams].push_back(options_.mode == Mode::watch_hot ? 0 : i);
  }
  WatchSink& sink = *this;
  for (size_t i = 0; i < numbers.size(); ++i) {
    streams_.push_back(std::make_unique<WatchStream>(sink, keys_, options_.sample_every));
    streams_.back()->start(client_.connection(i % options_.connections), numbers[i]);
  }
  return client_.run_until(
      [&] { return created_ == options_.watchers || !meter_.failures().empty(); });
}

void WatchLoad::on_event(const ValueHead& head, uint64_t now) {
  ++events_;
  meter_.record(now - head.sent_ns);
  putters_[head.nonce % putters_.size()]->on_event(head.nonce);
}

void WatchLoad::put_more() {
  if (options_.put_rate > 0) return;
  while (!stopping_ && !idle_.empty()) {
    if (options_.total != 0 && puts_ >= options_.total) {
      stopping_ = true;
      return;
    }
    Putter* putter = idle_.back();
    idle_.pop_back();
    ++puts_;
    putter->start();
  }
}

void WatchLoad::put_what_is_due(double elapsed) {
  const auto due = static_cast<uint64_t>(elapsed * options_.put_rate);
  while (puts_ + puts_late_ < due) {
    if (idle_.empty()) {
      ++puts_late_;
      continue;
    }
    Putter* putter = idle_.back();
    idle_.pop_back();
    ++puts_;
    putter->start();
  }
}

bool WatchLoad::turn_of_time(uint64_t start_ns) {
  const double elapsed = static_cast<double>(now_ns() - start_ns) * 1e-9;
  if (!stopping_) {
    if (!meter_.window_open() && elapsed >= options_.warmup_seconds) meter_.open_window();
    stopping_ =
        options_.total == 0 && elapsed >= options_.warmup_seconds + options_.duration_seconds;
    if (stopping_ && options_.pace_by_events) meter_.close_window();
    if (!stopping_ && options_.put_rate > 0) put_what_is_due(elapsed);
  }
  return stopping_ && events_ >= events_expected_ && idle_.size() == putters_.size();
}

bool WatchLoad::run() {
  if (!create_watches()) return false;
  if (!meter_.failures().empty()) return true;
  const uint64_t start_ns = now_ns();
  put_more();
  if (!client_.run_until([&] { return turn_of_time(start_ns); })) return false;
  if (meter_.window_open()) meter_.close_window();
  if (events_ != events_expected_) meter_.fail("more events than puts");
  return true;
}

}  // namespace lattice::load
