// TLS connections that are opened, shaken hands on and closed, a fixed number at a time; every one
// a full handshake. Thread: the loader's only thread. Ownership: borrows everything it is given.
#pragma once

#include <event2/event.h>

#include <memory>
#include <vector>

#include "load/meter.h"
#include "load/options.h"
#include "load/secure_socket.h"

namespace lattice::load {

class HandshakeLoad {
 public:
  HandshakeLoad(const TlsClient& tls, Meter& meter, const Options& options);
  ~HandshakeLoad();

  // To the end of the time, and until the last connection has ended.
  void run();

 private:
  class Attempt;
  friend class Attempt;

  struct BaseFree {
    void operator()(event_base* base) const { event_base_free(base); }
  };
  struct EventFree {
    void operator()(event* e) const { event_free(e); }
  };

  const TlsClient& tls_;
  Meter& meter_;
  const Options& options_;
  std::unique_ptr<event_base, BaseFree> base_;
  std::unique_ptr<event, EventFree> tick_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  size_t turn_ = 0;  // of the ports
  bool stopping_ = false;
};

}  // namespace lattice::load
