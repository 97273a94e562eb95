// What the connections of one listener share.
// Thread: its loop's.
// Ownership: shared by the listener and its connections, because a connection's end may be deferred
//   past the listener's.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "loop/loop.h"
#include "proxy/fair_shares.h"
#include "proxy/http2_runtime.h"
#include "proxy/inflation.h"
#include "proxy/listener.h"
#include "proxy/output_buffer.h"
#include "proxy/receive_windows.h"
#include "proxy/request_ids.h"
#include "proxy/router.h"
#include "proxy/token_bucket.h"

namespace lattice::proxy {

class Http2Stream;

// Streams are reused: a call then costs no allocation for its headers, its queue and its state.
class Http2StreamPool {
 public:
  Http2StreamPool();
  ~Http2StreamPool();
  std::unique_ptr<Http2Stream> get();  // null when none is spare
  void put(std::unique_ptr<Http2Stream> stream);

 private:
  static constexpr size_t kept_max = 1024;
  std::vector<std::unique_ptr<Http2Stream>> free_;
};

struct Context {
  static constexpr size_t receive_bytes = 64 << 10;

  Context(loop::Loop& on_loop, const Router& with_router, const Limits& with_limits,
          Observer* with_observer, FairShares* with_shares,
          std::shared_ptr<ConnectionCounts> with_counts)
      : loop(on_loop),
        router(with_router),
        limits(with_limits),
        observer(with_observer),
        shares(with_shares),
        counts(std::move(with_counts)),
        receive_buffer(receive_bytes, '\0') {}

  loop::Loop& loop;
  const Router& router;
  const Limits limits;
  Observer* const observer;  // may be null
  FairShares* const shares;  // may be null: served as it comes
  const std::shared_ptr<ConnectionCounts> counts;
  // Of connections that no tenant's request has come on, handshakes and probes included.
  const SharedFlow strangers = std::make_shared<FairFlow>();
  std::string receive_buffer;  // every connection reads into the same 64 KiB
  ChunkPool chunks;
  Http2StreamPool streams;
  Http2Runtime http2;
  Inflations inflations;
  HeldBytes held;           // by the unfinished messages of all its connections
  uint64_t ages_given = 0;  // connections so far; spreads their age limits
  RequestIds request_ids;
  // Failures that are worth a line in the log: a burst, then one a second.
  TokenBucket told_failures{20, 1};
};

}  // namespace lattice::proxy
