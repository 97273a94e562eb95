// The fan-out, as a replica uses it: the leader publishes each committed batch, the others take in
// what fits their log (log-protocol S4). What is forged, repeated, late or out of order leads to a
// look at the log at most.
//
// Thread: the replica's loop.
// Bounds: what arrives while the log is read waits in a short queue; beyond that the log has it.
#pragma once

#include <deque>
#include <string_view>

#include "base/keyring.h"
#include "replica/fan_message.h"
#include "replica/fanout.h"
#include "replica/log_reader.h"
#include "replica/state.h"

namespace lattice::replica {

class Announcer {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    // This replica follows, and has read the log.
    virtual bool listens() const = 0;
    virtual void on_announced(const Position& position) = 0;
    // Something may have happened: look at the log.
    virtual void on_hint() = 0;
    // The leader has gone: look whether to take over.
    virtual void on_leaving() = 0;
  };

  // `fanout` may be null, and `keyring` then too; both outlive this.
  Announcer(State& state, LogReader& reader, Fanout* fanout, const Keyring* keyring, Host& host)
      : state_(state), reader_(reader), fanout_(fanout), keyring_(keyring), host_(host) {}
  ~Announcer() { stop(); }

  void start();
  // Neither listens nor publishes any more.
  void stop();
  // This replica leads, and the batch is known to be committed.
  void publish(const Batch& batch);
  // This replica has begun to lead: up to here the log is committed.
  void announce();
  // This replica has given its leadership back.
  void leave();
  // The log was read: what came meanwhile may follow it now.
  void on_read();

 private:
  void receive(std::string_view bytes);
  void take(FanMessage message);

  State& state_;
  LogReader& reader_;
  Fanout* fanout_;
  const Keyring* keyring_;
  Host& host_;
  std::deque<FanMessage> waiting_;  // while the log is read
};

}  // namespace lattice::replica
