// Accepts connections and serves gRPC over HTTP/2 (prior knowledge) and HTTP/1.1 on one port, told
// apart by their first bytes.
//
// Thread: the loop it was made on. Several loops may listen on one port (SO_REUSEPORT).
// Ownership: owns its connections; they die with it. The Router must outlive it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/shared_counts.h"
#include "base/status.h"
#include "base/time.h"
#include "loop/loop.h"
#include "proxy/fair_shares.h"
#include "proxy/router.h"
#include "proxy/transport.h"
#include "tls/context.h"

namespace lattice::proxy {

// Everything that a peer can make us hold is bounded here.
struct Limits {
  size_t receive_message_bytes_max = (3 << 19) + (1 << 19);  // etcd: max-request-bytes + 512 KiB
  uint32_t concurrent_streams_max = 0xffffffff;              // as etcd's default; see listener.cc
  size_t header_list_bytes_max = 16 << 10;
  int64_t connections_max = 10000;
  int64_t connections_per_address_max = 0;                 // 0: no limit
  Duration connection_idle_max = std::chrono::minutes(5);  // without open streams; 0: never
  // Older connections get a GOAWAY, and are closed when the grace is over; 0: never. Each has a
  // limit of its own, a tenth more or less, so that clients that came together do not go together.
  Duration connection_age_max{};
  Duration connection_age_grace = std::chrono::seconds(30);
  Duration preface_timeout = std::chrono::seconds(10);
  // gRPC keepalive enforcement, etcd's defaults (etcd-v3.md 4.7).
  Duration keepalive_min_time = std::chrono::seconds(5);
  bool keepalive_permit_without_stream = false;
  Duration keepalive_interval = std::chrono::hours(2);
  Duration keepalive_timeout = std::chrono::seconds(20);
  // A connection whose socket takes nothing for so long, while output waits, is closed.
  Duration write_stall_max = std::chrono::seconds(60);
  // Above this a stream's unsent bytes are the service's to hold back
  // (ServerStream::pending_bytes).
  size_t send_buffer_bytes_max = 4 << 20;
};

// The connections of several listeners, which have their limits together. Thread: any.
struct ConnectionCounts {
  std::atomic<int64_t> all{0};
  std::atomic<size_t> unread_bytes{0};  // see UnreadAnswers
  SharedCounts by_source;               // by address, where that is limited
};

// What a listener has in common with others.
struct Sharing {
  FairShares* shares = nullptr;  // of its loop, which outlives it; null: served as it comes
  std::shared_ptr<ConnectionCounts> counts = std::make_shared<ConnectionCounts>();
};

// A call that is over and whose stream has closed, for a line in the log.
struct CallReport {
  const ServerStream& stream;
  GrpcStatus status;
  Duration took{};         // until the last of its answer had gone to the connection
  Duration sent_in{};      // of that, after its service had ended it
  const CallNotes& notes;  // what the service said
};

// Called as calls start and end; the server turns it into metrics. Same loop.
class Observer {
 public:
  // The observer's own note of a call, handed back with what happens to it.
  using CallNote = void*;

  virtual ~Observer() = default;
  virtual CallNote on_call_started(std::string_view path) = 0;
  virtual void on_message_received(CallNote note) = 0;
  virtual void on_message_sent(CallNote note) = 0;
  virtual void on_call_finished(CallNote note, std::string_view path, GrpcCode code,
                                Duration took) = 0;
  // Whether a call that has taken so long up to now is worth a line in the log, which
  // on_call_report() then gets.
  virtual bool wants_report(std::string_view path, Duration took) const {
    (void)path;
    (void)took;
    return false;
  }
  virtual void on_call_report(const CallReport& report) { (void)report; }
  // The transport itself ends a call with an error, which its service has no part in.
  virtual void on_call_refused(const ServerStream& stream, const GrpcStatus& status) {
    (void)stream;
    (void)status;
  }
  virtual void on_http_refused(const HttpRequest& request, std::string_view why) {
    (void)request;
    (void)why;
  }
  virtual void on_bytes(size_t received, size_t sent) = 0;
  virtual void on_goaway(std::string_view reason) = 0;
  // A client that never came to say anything. `tell`: it is worth a line in the log; false while
  // too many come.
  virtual void on_transport_failure(std::string_view peer, const TransportFailure& failure,
                                    bool tell) {
    (void)peer;
    (void)failure;
    (void)tell;
  }
};

class Listener {
 public:
  // Binds at once. With `tls` every connection is encrypted, under what it holds when the
  // connection comes. Errors: io with a detail that names address and cause.
  static Result<std::unique_ptr<Listener>> listen(loop::Loop& loop, const std::string& address,
                                                  const Router& router, const Limits& limits,
                                                  Observer* observer, bool reuse_port,
                                                  std::shared_ptr<const tls::Source> tls = nullptr,
                                                  Sharing sharing = {});
  ~Listener();
  // "127.0.0.1:2379"; the port is the real one when 0 was asked for.
  std::string address() const;
  size_t connection_count() const;
  // Graceful end: no new connections, GOAWAY to all, `done` once every stream has ended or
  // `deadline` has passed (then what is left is closed).
  void drain(Duration deadline, loop::Task done);

 private:
  class Impl;
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lattice::proxy
