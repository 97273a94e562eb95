// What a replica was told at its start. The defaults are etcd's, or log-protocol.md's where etcd
// has no such thing. Thread: plain data, never changed after the start.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "replica/linear_bound.h"
#include "replica/node_info.h"
#include "replica/watch.h"

namespace lattice::replica {

enum class AutoCompaction : uint8_t { off, periodic, revision };

struct Options {
  NodeInfo node;                              // what others learn of this process
  uint64_t member_id = 0;                     // under which clients see it; alarms carry it
  const LinearBound* linear_bound = nullptr;  // null: nothing but the replica's own fence

  // ---- Requests (etcd-v3.md 4.7) ----
  int txn_ops_max = 128;
  // A proposal or a waiting read is answered with `timeout` after this; the batch it is in goes on.
  Duration request_timeout = std::chrono::seconds(7);
  // The same at a replica that stands by while another one certainly leads: `no_leader` after this.
  // At least session_renewal + 2.5 poll_interval: then the leader was alive after the request came,
  // and whoever comes in a gap of leadership has request_timeout.
  Duration standby_wait = std::chrono::seconds(1);
  size_t proposals_max = 5000;  // waiting ones; more are refused with too_many_requests

  // ---- Batches ----
  size_t batch_records_max = 4096;
  size_t batch_bytes_max = 8 << 20;
  Duration append_backoff_min = std::chrono::milliseconds(5);
  Duration append_backoff_max = std::chrono::seconds(1);

  // ---- Leadership on a shared log (log-protocol L1) ----
  Duration session_ttl = std::chrono::milliseconds(1400);
  Duration session_renewal = std::chrono::milliseconds(400);
  // Taken off the TTL by the session's owner: two clocks' rates differ by less than this in one
  // TTL.
  Duration session_drift_margin = std::chrono::milliseconds(100);
  Duration poll_interval = std::chrono::milliseconds(200);

  // The log is a copy that is still being written: it is read, and nobody leads, until open().
  bool arriving = false;

  // ---- Leases ----
  Duration lease_check_interval = std::chrono::milliseconds(500);
  size_t lease_revokes_per_check = 500;  // 1000 a second

  // ---- Watches ----
  Duration progress_interval = std::chrono::minutes(10);
  size_t stream_bytes = stream_bytes_max;  // delivered and not consumed, per stream
  // The same of all streams together; beyond it each may have only its small share.
  size_t all_streams_bytes = 128 << 20;
  size_t stream_share_bytes = 64 << 10;

  // ---- Compaction ----
  size_t compact_keys_per_step = 500;
  size_t compact_removals_per_call = 1000;
  AutoCompaction auto_compaction = AutoCompaction::off;
  Duration auto_compaction_period{};      // periodic: keep this much history
  int64_t auto_compaction_revisions = 0;  // revision: keep this many
};

}  // namespace lattice::replica
