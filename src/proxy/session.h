// What speaks HTTP on a connection (HTTP/2 or HTTP/1.1), and what it may ask of the connection.
//
// Thread: the connection's loop.
// Ownership: the connection owns its session and outlives it. Neither is destroyed within a call
//   from the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/time.h"
#include "proxy/call.h"
#include "proxy/fair_shares.h"
#include "proxy/output_buffer.h"

namespace lattice::proxy {

class SessionHost {
 public:
  virtual ~SessionHost() = default;
  // Has produce() called at the end of the turn.
  virtual void request_flush() = 0;
  virtual std::string_view peer() const = 0;
  // As ServerStream has them.
  virtual std::shared_ptr<const PeerCertificate> peer_certificate() const = 0;
  virtual std::string_view server_name() const = 0;
  // A request of that tenant has come on the connection. False: it may have no more connections.
  virtual bool belong_to(const SharedFlow& flow) = 0;
  // As ServerStream has it.
  virtual Duration overdue() const { return {}; }
  // What the connection's work is charged to; null: nobody counts.
  virtual FairAccount* fair_account() { return nullptr; }
  // Work of one of its requests, done in the connection's turns, and no more. Requires: its loop
  // has FairShares.
  virtual void take_turns(FairWaiter& work) = 0;
  virtual void leave_turns(FairWaiter& work) = 0;
};

class Session {
 public:
  virtual ~Session() = default;
  // Takes all of `bytes`.
  virtual void receive(std::string_view bytes) = 0;
  // The most that receive() should be given at once, so that a turn is shared fairly.
  virtual size_t input_bytes_max() const { return SIZE_MAX; }
  // Whether more input is wanted; asked after every receive() and produce().
  virtual bool wants_input() const = 0;
  // Whether so many answers wait to be sent that no more requests are to be read until the socket
  // takes some.
  virtual bool answers_wait() const { return false; }
  // Appends what may be sent now.
  virtual void produce(OutputBuffer& out) = 0;
  // Nothing will follow: the connection closes once its output has left.
  virtual bool finished() const = 0;
  // Calls or requests that are not answered yet.
  virtual size_t open_streams() const = 0;
  // Refuses new work, finishes what runs, then is finished().
  virtual void begin_drain() = 0;
  // Called a few times within the shortest of the limits' durations.
  virtual void tick(Instant now) = 0;
  // The connection is lost: everything that runs is cancelled.
  virtual void abandon() = 0;
};

}  // namespace lattice::proxy
