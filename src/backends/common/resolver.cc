#include "backends/common/resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <utility>

namespace lattice::backends {
namespace {

bool is_numeric(const std::string& host) {
  unsigned char address[sizeof(in6_addr)];
  // A scope ("fe80::1%eth0") is numeric too: inet_pton does not know it, getaddrinfo needs no DNS.
  return host.find('%') != std::string::npos || inet_pton(AF_INET, host.c_str(), address) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address) == 1;
}

// `found` has the addresses of those that need a look-up, in order.
std::vector<Host> with_addresses(const std::vector<Host>& hosts,
                                 const loop::NameResolver::Addresses& found) {
  std::vector<Host> resolved;
  size_t next = 0;
  for (const Host& host : hosts) {
    if (!needs_resolution(host)) {
      resolved.push_back(host);
      continue;
    }
    if (next == found.size()) continue;
    for (const std::string& address : found[next]) {
      resolved.push_back(host);
      resolved.back().address = address;
    }
    ++next;
  }
  return resolved;
}

}  // namespace

bool needs_resolution(const Host& host) {
  return host.address.empty() && !host.host.empty() && host.host[0] != '/' && host.host[0] != '@' &&
         !is_numeric(host.host);
}

void Resolver::resolve(std::vector<Host> hosts, Callback<std::vector<Host>> done) {
  std::vector<std::string> names;
  for (const Host& host : hosts) {
    if (needs_resolution(host)) names.push_back(host.host);
  }
  names_.resolve(std::move(names), [hosts = std::move(hosts), done = std::move(done)](
                                       Result<loop::NameResolver::Addresses> found) mutable {
    std::vector<Host> resolved =
        with_addresses(hosts, found.ok() ? *found : loop::NameResolver::Addresses());
    if (resolved.empty()) return done(found.status());
    done(std::move(resolved));
  });
}

}  // namespace lattice::backends
