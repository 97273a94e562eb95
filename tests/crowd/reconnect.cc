// A crowd of watchers loses its connections, misses some writes, and comes back at once, each with
// the revision that it had.
#include <memory>

#include "json_line.h"
#include "load/client.h"
#include "load/clock.h"
#include "options.h"
#include "server_memory.h"
#include "writer.h"

namespace lattice::crowd {
namespace {

// The watchers of one generation, with their connections.
struct Crowd {
  load::Client client;
  Tally tally;
  std::vector<std::unique_ptr<CrowdStream>> streams;  // go before the client

  bool come(const Options& options, int64_t start_revision) {
    const uint64_t connections = options.watches / options.watches_per_connection;
    if (!client.open(options.host, options.port, connections)) return false;
    uint64_t number = 0;
    for (uint64_t i = 0; i < connections; ++i) {
      std::vector<WatchSpec> specs;
      for (uint64_t j = 0; j < options.watches_per_connection; ++j, ++number) {
        specs.push_back({.group = 'a',
                         .key = number % options.keys,
                         .writes = options.rounds,
                         .start_revision = start_revision});
      }
      streams.push_back(std::make_unique<CrowdStream>(tally));
      streams.back()->start(client.connection(i), specs);
    }
    return true;
  }
};

}  // namespace

bool run_reconnect(const Options& options) {
  const ServerMemory memory(options.server_pid);
  load::Client writing;
  if (!writing.open(options.host, options.write_port, 1)) {
    return print_json({}, {}, writing.error());
  }
  Writer writer(writing, writing.connection(0), options.value_size);
  auto first = std::make_unique<Crowd>();
  bool connected = first->come(options, 0) &&
                   first->client.run_until([&] { return first->tally.created == options.watches; });
  // One write that nobody watches tells the revision.
  connected = connected && writer.write('x', keys_per_txn, 0, 1);
  const double settled = static_cast<double>(memory.now_bytes());
  first.reset();
  memory.reset_peak();
  const int64_t left_at = writer.revision();
  connected = connected && writer.write('a', options.keys, 0, options.rounds);
  const double written = static_cast<double>(memory.now_bytes());

  Crowd second;
  const uint64_t began = load::now_ns();
  connected = connected && second.come(options, left_at + 1) && second.client.run_until([&] {
    return second.tally.settled() == options.watches || !second.tally.failures.empty();
  });
  const double seconds = static_cast<double>(load::now_ns() - began) * 1e-9;
  std::string error;
  if (!connected) error = "lost: " + writer.error() + second.client.error();
  return print_json({{"caught_up_seconds", seconds},
                     {"complete", static_cast<double>(second.tally.complete)},
                     {"compacted", static_cast<double>(second.tally.compacted)},
                     {"events", static_cast<double>(second.tally.events)},
                     {"rss_before", settled},
                     {"rss_written", written},
                     {"rss_peak", static_cast<double>(memory.peak_bytes())}},
                    {&second.tally}, error);
}

}  // namespace lattice::crowd
