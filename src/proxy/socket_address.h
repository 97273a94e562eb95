// Listening sockets and printable addresses: "127.0.0.1:2379", "[::1]:0", ":2379" (every
// interface). Thread: any.
#pragma once

#include <sys/socket.h>

#include <string>

#include "base/status.h"

namespace lattice::proxy {

// A bound, listening, non-blocking TCP socket; the caller owns it. Names are not resolved but for
// "localhost". Errors: io with address and cause, invalid_argument for what is no address.
Result<int> listen_tcp(const std::string& address, bool reuse_port);

std::string print_address(const sockaddr_storage& address);
// Whose it is when connections are counted by address: the bytes of an IPv4 address, of IPv6 the
// first half, for the other half is the client's to choose. Not for people.
std::string source_of(const sockaddr_storage& address);
// The local end of a socket.
std::string local_address(int fd);

}  // namespace lattice::proxy
