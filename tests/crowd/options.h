// What a run does; set from the command line.
#pragma once

#include <cstdint>
#include <string>

namespace lattice::crowd {

struct Options {
  std::string host = "127.0.0.1";
  uint16_t port = 0;        // of the watchers
  uint16_t write_port = 0;  // of the writer; 0: the same
  int server_pid = 0;       // whose memory is measured: the watchers' server

  uint64_t stalled = 10'000;  // scenario stalled; a multiple of 200, or 0
  uint64_t healthy = 1'000;
  uint64_t watches = 10'000;  // scenario reconnect
  uint64_t watches_per_connection = 100;
  uint64_t keys = 1'000;
  uint64_t rounds = 100;  // writes of each key
  uint64_t value_size = 1024;
};

// Each prints one JSON object; false when something was lost, repeated or refused.
bool run_stalled(const Options& options);
bool run_reconnect(const Options& options);

}  // namespace lattice::crowd
