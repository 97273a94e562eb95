#include "backends/postgres/pg_resolver.h"

#include <utility>

namespace lattice::backends {
namespace {

// `found` has the addresses of those that need a look-up, in order.
std::vector<PgHost> with_addresses(const std::vector<PgHost>& hosts,
                                   const loop::NameResolver::Addresses& found) {
  std::vector<PgHost> resolved;
  size_t next = 0;
  for (const PgHost& host : hosts) {
    if (!PgConninfo::needs_resolution(host)) {
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

void PgResolver::resolve(std::vector<PgHost> hosts, Callback<std::vector<PgHost>> done) {
  std::vector<std::string> names;
  for (const PgHost& host : hosts) {
    if (PgConninfo::needs_resolution(host)) names.push_back(host.host);
  }
  names_.resolve(std::move(names), [hosts = std::move(hosts), done = std::move(done)](
                                       Result<loop::NameResolver::Addresses> found) mutable {
    std::vector<PgHost> resolved =
        with_addresses(hosts, found.ok() ? *found : loop::NameResolver::Addresses());
    if (resolved.empty()) return done(found.status());
    done(std::move(resolved));
  });
}

}  // namespace lattice::backends
