// Keeps this node's record in the control plane for as long as it lives: a document under a lease.
//
// Thread: the loop's. Ownership: the loop outlives it. A connection that it was given is good until
// on_disconnected().
#pragma once

#include <memory>
#include <string>

#include "control/connection.h"

namespace lattice::control {

class Registration {
 public:
  struct Options {
    std::string key;
    std::string document;
    Duration request_timeout;
    // What keeps the record from being there, once for each kind of trouble.
    absl::AnyInvocable<void(const std::string& trouble)> on_trouble;
  };
  Registration(loop::Loop& loop, Options options) : loop_(loop), options_(std::move(options)) {}

  void on_connected(Connection& connection);
  void on_disconnected();
  // The record goes, if it can still be told.
  void leave();

 private:
  void grant();
  void put();
  void keep_alive();
  void again();
  void fail(const Status& status);

  loop::Loop& loop_;
  Options options_;
  Connection* connection_ = nullptr;
  int64_t lease_ = 0;
  bool left_ = false;
  std::string told_;
  std::unique_ptr<loop::TimerHandle> timer_;
};

}  // namespace lattice::control
