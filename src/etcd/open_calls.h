// The calls of a loop that end only when somebody ends them: watches, keepalive streams, observers
// and those that wait for a lock. A shutdown walks over them.
// Thread: one loop.
// Ownership: members unlink themselves when they are destroyed.
#pragma once

#include <cstddef>

#include "base/status.h"

namespace lattice::etcd {

class OpenCalls;

class OpenCall {
 public:
  explicit OpenCall(OpenCalls& calls);
  virtual ~OpenCall();
  OpenCall(const OpenCall&) = delete;
  OpenCall& operator=(const OpenCall&) = delete;
  // Ends the call with this status; called at most once.
  virtual void end(const Status& status) = 0;
  // The server's state of service has changed (grpc.health.v1 Watch).
  virtual void on_serving_changed() {}

 private:
  friend class OpenCalls;
  OpenCalls& calls_;
  OpenCall* previous_ = nullptr;
  OpenCall* next_ = nullptr;
};

class OpenCalls {
 public:
  OpenCalls() = default;
  OpenCalls(const OpenCalls&) = delete;
  OpenCalls& operator=(const OpenCalls&) = delete;

  size_t size() const { return size_; }
  void end_all(const Status& status);
  void serving_changed();

 private:
  friend class OpenCall;
  OpenCall* first_ = nullptr;
  size_t size_ = 0;
};

}  // namespace lattice::etcd
