// Watches as the etcd Watch service needs them: a stream that holds many watches, and a sink that
// the replica calls with what happens, in the order in which it must reach the client.
//
// A slow reader costs a cursor, never a queue: a stream's undelivered bytes are bounded by
// `stream_bytes_max`; beyond that its watches stop being fed and later catch up from the shared
// history (DESIGN section 5, reliability.md 3.3).
//
// Thread: stream and sink live on one loop (the connection's); RemoteApi carries calls to the
// owner.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "auth/types.h"
#include "base/ids.h"
#include "base/status.h"
#include "keyspace/kv_record.h"
#include "keyspace/requests.h"

namespace lattice::replica {

inline constexpr size_t stream_bytes_max = 1 << 20;
// At most this many distinct revisions go into one response, as in etcd's catch-up.
inline constexpr int catch_up_revisions_max = 1000;

struct WatchCreate {
  keyspace::KeyRange range;  // as the client sent it; an empty key means "\0"
  Revision start_revision;   // 0: from the next revision on
  WatchId id;                // 0: the stream picks one, from 0 upward
  bool prev_kv = false;
  bool progress_notify = false;
  bool fragment = false;  // carried back to the sink with each delivery
  bool no_put = false;
  bool no_delete = false;
  auth::CallerRef caller;  // may it read the range? Asked once, now
};

struct WatchEvent {
  keyspace::KvRef kv;    // a tombstone is a DELETE
  keyspace::KvRef prev;  // null unless the watch asked for prev_kv and there is one
};
// Shared by all watches that get the same events.
using WatchEvents = std::shared_ptr<const std::vector<WatchEvent>>;

enum class WatchRefusal : uint8_t {
  none,
  compacted,
  empty_range,
  duplicate_id,
  permission_denied,
  user_empty,
  invalid_auth_token,
  auth_old_revision,
  not_linearizable,  // LIN-BOUND is closed, and the stream has other watches
};

class WatchSink {
 public:
  virtual ~WatchSink() = default;
  // One per create, in request order. Refused: id -1, and etcd's text for the reason is the sink's.
  virtual void on_created(WatchId id, Revision header, WatchRefusal refusal) = 0;
  // Whole revisions only, revisions strictly increasing per watch.
  virtual void on_events(WatchId id, Revision header, bool fragment, WatchEvents events) = 0;
  // id -1: the answer to a progress request for the whole stream.
  virtual void on_progress(WatchId id, Revision header) = 0;
  // Overtaken by compaction: header revision 0 and the compact revision go to the client.
  virtual void on_compacted(WatchId id, Revision compact_revision) = 0;
  virtual void on_canceled(WatchId id, Revision header) = 0;
  // The replica can serve the stream no longer (lost leadership, lost history, shutdown).
  virtual void on_closed(Status status) = 0;
};

class WatchStream {
 public:
  virtual ~WatchStream() = default;
  virtual void create(WatchCreate create) = 0;
  virtual void cancel(WatchId id) = 0;
  virtual void request_progress() = 0;
  // The transport has taken `bytes` of what on_events delivered: room for more. Bytes are counted
  // as encoded_size(events).
  virtual void consumed(size_t bytes) = 0;
};

// What an event list counts against stream_bytes_max.
size_t encoded_size(const std::vector<WatchEvent>& events);

}  // namespace lattice::replica
