// Makes one TCP connection to "host:port": resolves the name, tries its addresses in turn.
// Thread: the loop's; `done` is called there once, never inside the constructor.
// Ownership: destroying it gives up, and `done` is not called. It may be destroyed inside `done`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/callback.h"
#include "loop/loop.h"
#include "loop/name_resolver.h"

namespace lattice::proxy {

class Dialer {
 public:
  // `done` gets a connected, non-blocking socket with TCP_NODELAY, the caller's from then on.
  // Errors: invalid_argument for what is no address, backend_unavailable with the reason.
  Dialer(loop::Loop& loop, loop::NameResolver& resolver, const std::string& address,
         Duration timeout, Callback<int> done);
  ~Dialer();
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;

 private:
  void start();
  void try_next();
  void on_writable();
  void finish(Result<int> result);

  loop::Loop& loop_;
  loop::NameResolver& resolver_;
  const std::string address_;
  Callback<int> done_;
  std::string host_;
  std::string port_;
  std::vector<std::string> candidates_;  // numeric hosts, tried from the front
  size_t next_ = 0;
  std::string problem_;
  int fd_ = -1;
  std::unique_ptr<loop::FdWatch> watch_;
  std::unique_ptr<loop::TimerHandle> timer_;  // the start, then the timeout
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lattice::proxy
