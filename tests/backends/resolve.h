// Resolves an append as a replica must (log-protocol P4, P5): unknown ones are submitted again,
// byte for byte, and only a rejection is followed by a look.
#pragma once

#include "backends/log_world.h"

namespace lattice::backends {

struct ResolveCounts {
  int unknown = 0;
  int definite = 0;
  int found_by_look = 0;
};

// True if the batch is in the log, false if another one has its place.
inline bool resolve_append(LogWorld& world, replica::Log& log,
                           const std::shared_ptr<const replica::Batch>& batch,
                           ResolveCounts* counts) {
  while (true) {
    const replica::AppendReply reply = append(world, log, batch);
    if (reply.outcome == replica::AppendOutcome::committed) return true;
    if (reply.outcome == replica::AppendOutcome::unknown) {
      reply.definite_error ? ++counts->definite : ++counts->unknown;
      for (int i = 0; i < 5; ++i) world.turn();
      continue;
    }
    // Rejected: another batch is there, perhaps an earlier submission of this one.
    std::optional<Result<replica::Log::LookReply>> seen;
    while (!seen || !seen->ok()) {
      seen.reset();
      log.look(batch->header.seq,
               [&](Result<replica::Log::LookReply> look) { seen = std::move(look); });
      (void)await(world, seen);
    }
    const auto& header = (*seen)->header;
    const bool mine = header && header->id == batch->header.id;
    if (mine) ++counts->found_by_look;
    return mine;
  }
}

// Every batch of the chain is there, once, in order, with its digest.
inline void check_whole_log(LogWorld& world, replica::Log& log, const Chain& chain) {
  const auto loaded = load(world, log, Seq(0));
  REQUIRE(loaded.size() == chain.last().seq.value);
  Digest previous{};
  for (const auto& batch : loaded) {
    REQUIRE(batch.header.has_value());
    REQUIRE(batch.header->previous == previous);
    previous = batch.header->digest;
    REQUIRE(compute_digest(log.id(), *batch.header, batch.records) == previous);
  }
  CHECK(previous == chain.last().digest);
}

}  // namespace lattice::backends
