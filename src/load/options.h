// What a run of the load generator does.
// Thread: plain data.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lattice::load {

enum class Mode {
  put,
  update,
  get,
  list,
  mixed,
  fill,
  watch_hot,
  watch_distinct,
  watch_open,
  keep_alive,
  handshake
};

// TLS to the server: none without an authority.
struct TlsOptions {
  std::string ca;                    // a file
  std::string chain = {}, key = {};  // files: the certificate to show; empty: none
  std::string version = "1.3";       // the only one that is offered; empty: 1.2 and newer
  std::string cipher = "TLS_AES_128_GCM_SHA256";  // OpenSSL's name, with a version
};

struct Options {
  Mode mode = Mode::put;
  std::string host = "127.0.0.1";
  std::vector<uint16_t> ports;      // connections take turns
  std::string tenant;               // named in every request's metadata; empty: none
  std::vector<uint16_t> put_ports;  // watch modes: of connections for the puts alone; none: share
  size_t connections = 16;
  size_t in_flight = 256;  // over all connections
  double rate = 0;         // requests per second; 0: as fast as they are answered
  TlsOptions tls;
  std::vector<std::pair<std::string, std::string>> metadata;  // of every call

  std::string prefix = "bench/";
  uint64_t keys = 1'000'000;
  size_t value_size = 256;

  double warmup_seconds = 1;
  double duration_seconds = 10;
  uint64_t total = 0;  // requests after which to stop; 0: by time

  uint64_t read_percent = 90;  // mixed
  uint64_t txn_puts = 1;  // fill and watch-distinct: puts in one transaction; 1 sends plain puts

  uint64_t watchers = 1000;
  uint64_t streams = 10;       // the gRPC streams that carry the watches, or the keep-alives
  double put_rate = 0;         // watch modes: puts per second; 0: as fast as events arrive
  bool pace_by_events = true;  // a put makes room for the next when its events have arrived

  uint64_t leases = 1000;
  uint64_t sample_every = 16;  // one answer in so many is checked to the last byte
  uint64_t seed = 1;
};

}  // namespace lattice::load
