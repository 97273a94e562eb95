// What an overloaded process does not do: reads and new watches of clients whose requests have
// waited too long to be read. What changes something, leases and health are never among it.
// Thread: the connection's loop.
#pragma once

#include <cstdint>

#include "etcd/services.h"
#include "proxy/call.h"

namespace lattice::etcd {

enum class Sheddable : uint8_t {
  list,   // a range of keys
  point,  // one key: to refuse it costs about as much as to answer it
  watch,  // one more
};

// Whether this one is to be refused; counts it then.
bool sheds(Services& services, const proxy::ServerStream& stream, Sheddable what);
// With RetryInfo: the time in which what waits now is served.
proxy::GrpcStatus overload_status(const proxy::ServerStream& stream);

}  // namespace lattice::etcd
