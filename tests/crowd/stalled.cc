// Healthy watchers beside thousands whose clients have stopped reading, while events flow.
//
// Half of the stalled watch all keys of group a, which are written first and compacted after: they
// are overtaken, and must be cancelled once. The other half watch a key each of group b, which is
// written after the compaction: they must get every event in the end. Of the first half, every
// second connection has a stream for each watch, the others one stream for all.
#include <memory>

#include "json_line.h"
#include "load/client.h"
#include "load/clock.h"
#include "options.h"
#include "server_memory.h"
#include "writer.h"

namespace lattice::crowd {
namespace {

// Streams of overtaken watchers hold a mebibyte each when they are let go; some of them do.
constexpr uint64_t many_streams_released = 2;  // connections
constexpr uint64_t after_the_end_ns = 300'000'000;

class Stalled {
 public:
  explicit Stalled(const Options& options) : o_(options), memory_(options.server_pid) {}

  bool run();

 private:
  uint64_t held_connections() const { return o_.stalled / o_.watches_per_connection; }
  uint64_t group_keys() const { return o_.keys / 2; }
  bool open();
  void watch(size_t connection, Tally& tally, const std::vector<WatchSpec>& specs);
  void watch_healthy();
  void watch_stalled();
  bool create();
  bool write();
  bool release();
  bool wait_for_healthy(uint64_t complete);

  const Options& o_;
  const ServerMemory memory_;
  load::Client client_;
  size_t healthy_connections_ = 0;
  std::unique_ptr<Writer> writer_;
  Tally healthy_;
  Tally overtaken_;  // released
  Tally behind_;
  Tally unreleased_;
  uint64_t overtaken_watches_ = 0;
  std::vector<size_t> to_release_;
  std::vector<std::unique_ptr<CrowdStream>> streams_;  // go before the client
  double rss_before_ = 0;
  double rss_peak_ = 0;
  double rss_after_ = 0;
  double write_seconds_ = 0;
  double release_seconds_ = 0;
};

double seconds_since(uint64_t began) { return static_cast<double>(load::now_ns() - began) * 1e-9; }

bool Stalled::open() {
  healthy_connections_ = (o_.healthy + o_.watches_per_connection - 1) / o_.watches_per_connection;
  return client_.open(o_.host, o_.port, healthy_connections_) &&
         client_.open(o_.host, o_.port, held_connections(), load::Windows::held) &&
         client_.open(o_.host, o_.write_port, 1);
}

void Stalled::watch(size_t connection, Tally& tally, const std::vector<WatchSpec>& specs) {
  streams_.push_back(std::make_unique<CrowdStream>(tally));
  streams_.back()->start(client_.connection(connection), specs);
}

void Stalled::watch_healthy() {
  uint64_t number = 0;
  for (size_t i = 0; i < healthy_connections_; ++i) {
    std::vector<WatchSpec> specs;
    for (uint64_t j = 0; j < o_.watches_per_connection && number < o_.healthy; ++j, ++number) {
      specs.push_back({.group = number % 2 == 0 ? 'a' : 'b',
                       .key = number / 2 % group_keys(),
                       .writes = o_.rounds});
    }
    watch(i, healthy_, specs);
  }
}

void Stalled::watch_stalled() {
  const WatchSpec whole{.group = 'a', .keys = group_keys(), .writes = o_.rounds};
  uint64_t number = 0;
  uint64_t many_streams = 0;
  for (size_t i = 0; i < held_connections(); ++i) {
    const size_t connection = healthy_connections_ + i;
    std::vector<WatchSpec> specs;
    if (i % 2 == 1) {
      for (uint64_t j = 0; j < o_.watches_per_connection; ++j, ++number) {
        specs.push_back({.group = 'b', .key = number % group_keys(), .writes = o_.rounds});
      }
      watch(connection, behind_, specs);
      to_release_.push_back(connection);
      continue;
    }
    const bool released = i % 4 == 0 || many_streams++ < many_streams_released;
    Tally& tally = released ? overtaken_ : unreleased_;
    if (released) {
      overtaken_watches_ += o_.watches_per_connection;
      to_release_.push_back(connection);
    }
    specs.assign(i % 4 == 0 ? o_.watches_per_connection : 1, whole);
    for (uint64_t j = 0; j < o_.watches_per_connection; j += specs.size()) {
      watch(connection, tally, specs);
    }
  }
}

bool Stalled::create() {
  if (!open()) return false;
  writer_ = std::make_unique<Writer>(client_, client_.connection(client_.connection_count() - 1),
                                     o_.value_size);
  watch_healthy();
  watch_stalled();
  return client_.run_until([&] {
    return healthy_.created + overtaken_.created + behind_.created + unreleased_.created ==
           o_.healthy + o_.stalled;
  });
}

bool Stalled::wait_for_healthy(uint64_t complete) {
  return client_.run_until(
      [&] { return healthy_.complete >= complete || !healthy_.failures.empty(); });
}

bool Stalled::write() {
  const uint64_t began = load::now_ns();
  if (!writer_->write('a', group_keys(), 0, o_.rounds)) return false;
  // The healthy ones of the first group must not be overtaken.
  if (!wait_for_healthy((o_.healthy + 1) / 2) || !writer_->compact()) return false;
  if (!writer_->write('b', group_keys(), 0, o_.rounds)) return false;
  write_seconds_ = seconds_since(began);
  return wait_for_healthy(o_.healthy);
}

bool Stalled::release() {
  const uint64_t began = load::now_ns();
  for (const size_t connection : to_release_) client_.connection(connection).release();
  const bool alive = client_.run_until([&] {
    return (overtaken_.settled() == overtaken_watches_ && behind_.settled() == o_.stalled / 2) ||
           !overtaken_.failures.empty() || !behind_.failures.empty();
  });
  release_seconds_ = seconds_since(began);
  if (!alive) return false;
  // Anything that comes now comes twice.
  const uint64_t end = load::now_ns();
  return client_.run_until([&] { return load::now_ns() - end > after_the_end_ns; });
}

bool Stalled::run() {
  std::string error;
  bool alive = create();
  memory_.reset_peak();
  rss_before_ = static_cast<double>(memory_.now_bytes());
  alive = alive && write();
  rss_after_ = static_cast<double>(memory_.now_bytes());
  rss_peak_ = static_cast<double>(memory_.peak_bytes());
  alive = alive && release();
  if (!alive) error = "lost: " + client_.error() + (writer_ ? writer_->error() : "");
  const auto delay_us = [&](double fraction) {
    return static_cast<double>(healthy_.delay.percentile(fraction)) / 1000;
  };
  const bool sound = print_json({{"write_seconds", write_seconds_},
                                 {"release_seconds", release_seconds_},
                                 {"healthy_complete", static_cast<double>(healthy_.complete)},
                                 {"healthy_events", static_cast<double>(healthy_.events)},
                                 {"healthy_p50_us", delay_us(0.5)},
                                 {"healthy_p99_us", delay_us(0.99)},
                                 {"overtaken", static_cast<double>(overtaken_watches_)},
                                 {"overtaken_compacted", static_cast<double>(overtaken_.compacted)},
                                 {"overtaken_complete", static_cast<double>(overtaken_.complete)},
                                 {"behind", static_cast<double>(o_.stalled) / 2},
                                 {"behind_complete", static_cast<double>(behind_.complete)},
                                 {"behind_compacted", static_cast<double>(behind_.compacted)},
                                 {"rss_before", rss_before_},
                                 {"rss_after", rss_after_},
                                 {"rss_peak", rss_peak_},
                                 {"rss_released", static_cast<double>(memory_.now_bytes())}},
                                {&healthy_, &overtaken_, &behind_, &unreleased_}, error);
  streams_.clear();
  return sound;
}

}  // namespace

bool run_stalled(const Options& options) { return Stalled(options).run(); }

}  // namespace lattice::crowd
