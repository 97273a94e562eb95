#include "proxy/dialer.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace lattice::proxy {
namespace {

struct AddressDelete {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, AddressDelete>;

// Null for a host that is a name. Does not block.
AddressList numeric_address(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return nullptr;
  return AddressList(found);
}

std::string reason(int error) { return std::error_code(error, std::generic_category()).message(); }

}  // namespace

Dialer::Dialer(loop::Loop& loop, loop::NameResolver& resolver, const std::string& address,
               Duration timeout, Callback<int> done)
    : loop_(loop), resolver_(resolver), address_(address), done_(std::move(done)) {
  const size_t colon = address.rfind(':');
  if (colon != std::string::npos) {
    host_ = address.substr(0, colon);
    port_ = address.substr(colon + 1);
  }
  if (host_.starts_with('[') && host_.ends_with(']')) host_ = host_.substr(1, host_.size() - 2);
  timer_ = loop.after(timeout, [this] {
    finish(Status(Error::backend_unavailable, "connect to " + address_ + ": timed out"));
  });
  loop.defer([this, alive = alive_] {
    if (*alive) start();
  });
}

Dialer::~Dialer() {
  *alive_ = false;
  watch_.reset();
  if (fd_ >= 0) close(fd_);
}

void Dialer::start() {
  if (host_.empty() || port_.empty()) {
    return finish(Status(Error::invalid_argument, "no address of a node: " + address_));
  }
  if (numeric_address(host_, port_) != nullptr) {
    candidates_.push_back(host_);
    return try_next();
  }
  resolver_.resolve({host_}, [this, alive = alive_](Result<loop::NameResolver::Addresses> found) {
    if (!*alive) return;
    if (!found.ok()) return finish(found.status());
    candidates_ = std::move(found->front());
    try_next();
  });
}

void Dialer::try_next() {
  watch_.reset();
  if (fd_ >= 0) close(std::exchange(fd_, -1));
  while (next_ < candidates_.size()) {
    const AddressList address = numeric_address(candidates_[next_++], port_);
    if (address == nullptr) {
      problem_ = "no such address or port";
      continue;
    }
    fd_ = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd_ < 0) {
      problem_ = reason(errno);
      continue;
    }
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd_, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS) {
      // Also what connected at once is reported as writable.
      watch_ = loop_.watch(fd_, [this](bool, bool) { on_writable(); });
      watch_->want(/*read=*/false, /*write=*/true);
      return;
    }
    problem_ = reason(errno);
    close(std::exchange(fd_, -1));
  }
  finish(Status(Error::backend_unavailable, "connect to " + address_ + ": " + problem_));
}

void Dialer::on_writable() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    problem_ = reason(error);
    return try_next();
  }
  watch_.reset();
  finish(std::exchange(fd_, -1));
}

void Dialer::finish(Result<int> result) {
  timer_.reset();
  watch_.reset();
  if (Callback<int> done = std::exchange(done_, {})) done(std::move(result));
}

}  // namespace lattice::proxy
