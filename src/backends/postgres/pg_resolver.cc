#include "backends/postgres/pg_resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

namespace lattice::backends {
namespace {

void append_addresses(const PgHost& host, std::vector<PgHost>* out, std::string* problem) {
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
    PgHost resolved = host;
    resolved.address = text;
    out->push_back(std::move(resolved));
  }
  freeaddrinfo(found);
}

Result<std::vector<PgHost>> look_up(const std::vector<PgHost>& hosts) {
  std::vector<PgHost> resolved;
  std::string problem;
  for (const PgHost& host : hosts) {
    if (PgConninfo::needs_resolution(host)) {
      append_addresses(host, &resolved, &problem);
    } else {
      resolved.push_back(host);
    }
  }
  if (resolved.empty()) return Status(Error::backend_unavailable, problem);
  return resolved;
}

}  // namespace

PgResolver::~PgResolver() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    requests_.clear();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void PgResolver::resolve(std::vector<PgHost> hosts, Callback<std::vector<PgHost>> done) {
  {
    std::lock_guard lock(mutex_);
    requests_.push_back({std::move(hosts), std::move(done)});
  }
  wake_.notify_one();
  if (!thread_.joinable()) thread_ = std::thread([this] { main(); });
}

void PgResolver::main() {
  pthread_setname_np(pthread_self(), "pg-resolve");
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
