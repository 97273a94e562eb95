#include "loop/name_resolver.h"

#include <netdb.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
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
    : side_(loop, std::move(thread_name), /*waiting_max=*/SIZE_MAX) {}

void NameResolver::resolve(std::vector<std::string> hosts, Callback<Addresses> done) {
  auto found = std::make_shared<Result<Addresses>>(Error::backend_unavailable);
  side_.run([found, hosts = std::move(hosts)] { *found = look_up_all(hosts); },
            [found, done = std::move(done)]() mutable { done(std::move(*found)); });
}

}  // namespace lattice::loop
