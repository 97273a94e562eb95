#include "backends/common/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

namespace lattice::backends {
namespace {

bool is_numeric(const std::string& host) {
  unsigned char address[sizeof(in6_addr)];
  // A scope ("fe80::1%eth0") is numeric too: inet_pton does not know it, getaddrinfo needs no DNS.
  return host.find('%') != std::string::npos || inet_pton(AF_INET, host.c_str(), address) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address) == 1;
}

void append_addresses(const Host& host, std::vector<Host>* out, std::string* problem) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(host.host.c_str(), nullptr, &hints, &found); code != 0) {
    *problem = host.host + ": " + gai_strerror(code);
    return;
  }
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof(text), nullptr, 0,
                    NI_NUMERICHOST) != 0) {
      continue;
    }
    Host resolved = host;
    resolved.address = text;
    out->push_back(std::move(resolved));
  }
  freeaddrinfo(found);
}

Result<std::vector<Host>> look_up(const std::vector<Host>& hosts) {
  std::vector<Host> resolved;
  std::string problem;
  for (const Host& host : hosts) {
    if (needs_resolution(host)) {
      append_addresses(host, &resolved, &problem);
    } else {
      resolved.push_back(host);
    }
  }
  if (resolved.empty()) return Status(Error::backend_unavailable, problem);
  return resolved;
}

}  // namespace

bool needs_resolution(const Host& host) {
  return host.address.empty() && !host.host.empty() && host.host[0] != '/' && host.host[0] != '@' &&
         !is_numeric(host.host);
}

Resolver::~Resolver() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    requests_.clear();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Resolver::resolve(std::vector<Host> hosts, Callback<std::vector<Host>> done) {
  {
    std::lock_guard lock(mutex_);
    requests_.push_back({std::move(hosts), std::move(done)});
  }
  wake_.notify_one();
  if (!thread_.joinable()) thread_ = std::thread([this] { main(); });
}

void Resolver::main() {
  pthread_setname_np(pthread_self(), "resolve");
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !requests_.empty(); });
    if (stopping_) return;
    Request request = std::move(requests_.front());
    requests_.pop_front();
    lock.unlock();
    loop_.post([hosts = look_up(request.hosts), done = std::move(request.done)]() mutable {
      done(std::move(hosts));
    });
    lock.lock();
  }
}

}  // namespace lattice::backends
