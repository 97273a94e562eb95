#include "loop/name_resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <utility>

namespace lattice::loop {
namespace {

std::vector<std::string> look_up(const std::string& host, std::string* problem) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(host.c_str(), nullptr, &hints, &found); code != 0) {
    *problem = host + ": " + gai_strerror(code);
    return {};
  }
  std::vector<std::string> addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof(text), nullptr, 0,
                    NI_NUMERICHOST) == 0) {
      addresses.emplace_back(text);
    }
  }
  freeaddrinfo(found);
  return addresses;
}

Result<NameResolver::Addresses> look_up_all(const std::vector<std::string>& hosts) {
  NameResolver::Addresses all;
  std::string problem;
  bool any = false;
  for (const std::string& host : hosts) {
    all.push_back(look_up(host, &problem));
    any = any || !all.back().empty();
  }
  if (!any) return Status(Error::backend_unavailable, problem);
  return all;
}

}  // namespace

NameResolver::NameResolver(Loop& loop, std::string thread_name)
    : loop_(loop), thread_name_(std::move(thread_name)) {}

NameResolver::~NameResolver() {
  *alive_ = false;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    requests_.clear();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void NameResolver::resolve(std::vector<std::string> hosts, Callback<Addresses> done) {
  {
    std::lock_guard lock(mutex_);
    requests_.push_back({std::move(hosts), std::move(done)});
  }
  wake_.notify_one();
  if (!thread_.joinable()) thread_ = std::thread([this] { main(); });
}

void NameResolver::main() {
  pthread_setname_np(pthread_self(), thread_name_.c_str());
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
    loop_.post([alive = alive_, found = look_up_all(request.hosts),
                done = std::move(request.done)]() mutable {
      if (*alive) done(std::move(found));
    });
    lock.lock();
  }
}

}  // namespace lattice::loop
