// What both ends of the calls between nodes are given, and their limits.
// Thread: one loop's. Ownership: what it refers to outlives both ends.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "base/keyring.h"
#include "loop/loop.h"
#include "tls/context.h"

namespace lattice::peer {

struct Limits {
  // ---- The caller's ----
  // Calls to one node that have not left yet.
  size_t waiting_calls_max = 20'000;
  size_t waiting_bytes_max = 64 << 20;
  // A connection, both handshakes included; also the longest that a call waits to be sent.
  Duration connect_timeout = std::chrono::seconds(2);
  // How much longer than its patience a call that was sent waits for its answer.
  Duration answer_grace = std::chrono::seconds(2);
  Duration backoff_min = std::chrono::milliseconds(20);
  Duration backoff_max = std::chrono::milliseconds(500);
  Duration idle_max = std::chrono::seconds(60);  // of a connection without calls
  Duration ping_interval = std::chrono::seconds(1);
  Duration ping_timeout = std::chrono::seconds(2);
  // An answer may be as large as what a client's transaction reads; memory grows as it arrives.
  size_t answer_bytes_max = size_t{1} << 30;

  // ---- The server's ----
  size_t calls_in_flight_max = 20'000;  // of one stream
  Duration handshake_timeout = std::chrono::seconds(5);
  size_t handshakes_max = 4000;  // under way, of all nodes

  // ---- Both ----
  // Of a message with calls; larger calls are refused by the caller's end.
  size_t message_bytes_max = 16 << 20;
};

// Of a port, whoever calls there.
struct PortSurroundings {
  loop::Loop& loop;
  absl::AnyInvocable<void(std::span<uint8_t>)> random_bytes;
  // For the log; at most once a minute for each node.
  absl::AnyInvocable<void(std::string_view node, std::string_view trouble)> on_trouble;
  Limits limits;
  std::shared_ptr<const tls::Source> tls = nullptr;  // for calls to others; null: plaintext
  size_t handshakes = 0;                             // with callers, under way
};

// Of what belongs to one database.
struct Surroundings : PortSurroundings {
  const Keyring& keyring;
  std::string cluster;  // nodes of others are turned away
};

// Passes trouble on, once a minute for each node.
class TroubleLog {
 public:
  explicit TroubleLog(PortSurroundings& around) : around_(around) {}
  void tell(const std::string& node, std::string_view trouble);

 private:
  static constexpr Duration interval = std::chrono::minutes(1);
  static constexpr size_t nodes_max = 1000;

  PortSurroundings& around_;
  absl::flat_hash_map<std::string, Instant> told_;
};

}  // namespace lattice::peer
