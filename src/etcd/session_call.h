// What the Lock and Election services share: a key below a name that a lease keeps alive, and
// waiting until all older keys below that name are gone. The layout is that of etcd's client
// recipes, so clients that use those recipes directly queue up with ours: NAME "/" hex(lease),
// ordered by create revision (etcd-v3.md 1.9).
//
// Thread: the connection's loop. Ownership: the transport's.
#pragma once

#include "etcd/error_table.h"
#include "etcd/key_watch.h"
#include "etcd/unary.h"

namespace lattice::etcd {

// NAME "/".
std::string queue_prefix(std::string name);
// The lease's key in that queue.
std::string queue_key(const std::string& prefix, LeaseId lease);
// The key with the smallest create revision: who holds the lock, who leads.
keyspace::RangeRequest first_created(const std::string& prefix);
// Compares a key's create revision for equality.
keyspace::Compare created_at(std::string key, Revision revision);

class SessionCall : public UnaryCall, public OpenCall {
 public:
  SessionCall(Services& services, proxy::ServerStream& stream)
      : UnaryCall(services, stream), OpenCall(services.open_calls) {
    --services.running_calls;
  }
  ~SessionCall() override;

  // A shutdown ends the waiting; the client tries elsewhere.
  void end(const Status& status) override;

 protected:
  bool ends_by_itself() const override { return false; }
  // Gives back what a call that did not get what it waited for must not keep.
  virtual void abandon() {}
  // The session is there: lease() is valid.
  virtual void on_session() {}
  // All older keys are gone.
  virtual void on_turn() {}

  // A lease of 0 asks for one of the server's own. It lasts for 60 s from now, and nobody renews
  // it, as in etcd: a call that has to wait for longer loses its place.
  void open_session(LeaseId lease);
  LeaseId lease() const { return lease_; }
  // Calls on_turn() once no key below `prefix` has a create revision up to `newest`.
  void wait_for_turn(std::string prefix, Revision newest);

  // Errors of the operations leave as Unknown with their text.
  void fail(const Status& status) override;
  void on_gone() override;

 private:
  void look_for_older();
  void watch_deletion(std::string key, Revision from);

  LeaseId lease_;
  std::string prefix_;
  Revision newest_;
  std::unique_ptr<KeyWatch> watch_;
};

}  // namespace lattice::etcd
