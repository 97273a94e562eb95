// What replicas publish to each other through a Fanout (docs/fanout-format.md): how far the log is
// committed, and, if it is small enough, the newest batch. A MAC covers every byte; what it
// vouches for is only that a node of this cluster has written it, some time (log-protocol S4).
// Thread: pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/keyring.h"
#include "replica/batch.h"

namespace lattice::replica {

// Batches above this travel by the log only.
inline constexpr size_t fan_message_bytes_max = 64 << 10;

struct FanMessage {
  // Committed, and known to be.
  Position announced;
  // The batch at that position, if it is small.
  std::optional<Batch> batch;
  // The sender has given its leadership back: who can should look whether to take over.
  bool leaving = false;
};

// The batch is left out when it is too large. `batch` may be null.
std::string encode_fan_message(const Keyring& keyring, const LogId& log, const Position& announced,
                               const Batch* batch, bool leaving = false);
// nullopt: not a message of this cluster about this log.
std::optional<FanMessage> decode_fan_message(const Keyring& keyring, const LogId& log,
                                             std::string_view bytes);

}  // namespace lattice::replica
