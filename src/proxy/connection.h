// One accepted connection: moves bytes between its transport and the HTTP session that its first
// bytes ask for.
//
//   readable -> receive() into the loop's 64 KiB -> session
//   end of the turn -> session.produce() -> one writev
//
// However many answers a turn brings, they leave in one system call. A connection that is closed is
// destroyed at the end of the turn, never under the feet of its callers.
//
// Thread: the loop that accepted it. Ownership: the listener owns it; owns transport and session.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "loop/loop.h"
#include "proxy/backlog.h"
#include "proxy/context.h"
#include "proxy/output_buffer.h"
#include "proxy/session.h"
#include "proxy/transport.h"

namespace lattice::proxy {

class Connection;

// Told when a connection has closed; takes it out of its list and keeps it alive until the turn
// ends.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual void on_closed(Connection& connection) = 0;
};

class Connection final : public SessionHost, private FairWaiter {
 public:
  Connection(std::shared_ptr<Context> context, ConnectionOwner& owner,
             std::unique_ptr<Transport> transport, std::string peer);
  ~Connection() override;

  void request_flush() override;
  std::string_view peer() const override { return peer_; }
  std::shared_ptr<const PeerCertificate> peer_certificate() const override {
    return transport_->peer_certificate();
  }
  std::string_view server_name() const override { return transport_->server_name(); }
  bool belong_to(const SharedFlow& flow) override;
  Duration overdue() const override { return backlog_.overdue(); }
  FairAccount* fair_account() override { return &account(); }
  void take_turns(FairWaiter& work) override;
  void leave_turns(FairWaiter& work) override { context_->shares->remove(work); }

  void begin_drain();
  void tick(Instant now);
  // Cancels what runs and closes at once.
  void close();
  size_t open_streams() const { return session_ == nullptr ? 0 : session_->open_streams(); }

  // Its place in the owner's list.
  size_t index = 0;
  // Under which the owner counts it; empty: it does not.
  std::string source;

 private:
  void on_ready(bool readable);
  // Whether the loop is shared just now, so that work queues.
  bool shared();
  bool run(size_t size) override;
  void read_all();
  // What the socket reports is known, until it is the connection's turn.
  void pause();
  void resume();
  // How many bytes it took; 0: there was nothing, or the connection is closed now.
  size_t read(size_t size);
  void follow_backlog(bool emptied, size_t bytes);
  // Whether the transport has left a step of its handshake to another thread.
  void look_for_step();
  void on_stepped();
  // The transport can no more.
  void on_end(IoResult::Kind kind);
  void on_silence();
  void report(const TransportFailure& failure);
  void go_on_with_handshake();
  void deliver(std::string_view bytes);
  // Chooses the session once the first bytes tell; false while they do not.
  bool sniff(std::string_view bytes);
  void flush_in_turn();
  void flush();
  bool write();
  void update_watch();
  // Whether nothing is read until the socket takes what waits for it.
  bool holds_back() const;
  void begin_linger();
  // Sends clients of old connections to new ones.
  void grow_older(Instant now);

  std::shared_ptr<Context> context_;
  ConnectionOwner& owner_;
  std::unique_ptr<Transport> transport_;
  std::string peer_;
  std::unique_ptr<loop::FdWatch> watch_;
  OutputBuffer output_;
  std::unique_ptr<Session> session_;  // null while the protocol is unknown
  std::string first_bytes_;           // shorter than the HTTP/2 preface
  // Later by what it has waited for its turns and its handshake's steps, while it has no session.
  Instant accepted_at_;
  Instant queued_at_ = Instant::never();
  Instant stepping_since_ = Instant::never();   // see Transport::stepping()
  Instant old_since_;                           // in the future as long as it is young
  Instant stalled_since_ = Instant::never();    // output waits and the socket takes nothing
  Instant lingering_since_ = Instant::never();  // everything is sent; waiting for the peer to close
  SharedFlow flow_;
  Instant settles_at_ = Instant::never();  // until then it is a newcomer to its tenant
  Backlog backlog_;
  bool wants_read_ = false;   // once it is its turn
  bool wants_flush_ = false;  // likewise
  bool paused_ = false;
  bool held_back_ = false;  // something may lie in the transport that was not read
  bool flush_requested_ = false;
  bool draining_ = false;
  bool closed_ = false;
};

}  // namespace lattice::proxy
