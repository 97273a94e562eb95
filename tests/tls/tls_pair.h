// Two ends of TLS on a socket pair, moved by hand; and certificates made for the purpose.
// Thread: one.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>

#include "tls/authority.h"
#include "tls/context.h"
#include "tls/stream.h"

namespace lattice::tls {

using ContextPtr = std::shared_ptr<const Context>;

// An authority with a server "db.example", 127.0.0.1, and a client "alice".
struct TestAuthority {
  TestAuthority() : authority(std::move(*Authority::create("test CA", 10))) {
    server = *authority.issue({"db.example", {"db.example", "127.0.0.1"}, true, false, 5});
    client = *authority.issue({"alice", {}, false, true, 5});
    ca = authority.own()->certificate;
  }
  Material server_files() const { return {server.certificate, server.key, ca}; }
  Material client_files() const { return {client.certificate, client.key, ca}; }

  Authority authority;
  PemPair server, client;
  std::string ca;
};

// Non-blocking, both.
inline std::array<int, 2> socket_pair() {
  std::array<int, 2> fds{};
  (void)socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data());
  return fds;
}

struct Pair {
  Pair(const ContextPtr& at_server, const ContextPtr& at_client,
       const std::string& host = "db.example")
      : Pair(at_server, at_client, host, socket_pair()) {}

  // A few turns of both; a handshake takes three.
  void shake() {
    for (int i = 0; i < 6; ++i) {
      last_client = client->send({}).kind;
      last_server = server->receive(buffer).kind;
      if (client->established()) (void)client->receive(buffer);
    }
  }
  bool up() const { return server->established() && client->established(); }

  std::array<char, 64 << 10> buffer{};
  std::unique_ptr<Stream> server, client;
  Stream::Kind last_server = Stream::Kind::would_block;
  Stream::Kind last_client = Stream::Kind::would_block;

 private:
  Pair(const ContextPtr& at_server, const ContextPtr& at_client, const std::string& host,
       std::array<int, 2> fds)
      : server(std::make_unique<Stream>(at_server, fds[0], "")),
        client(std::make_unique<Stream>(at_client, fds[1], host)) {}
};

// All of `text` from one end to the other.
inline std::string carry(Stream& from, Stream& to, std::string_view text) {
  std::string arrived;
  std::array<char, 64 << 10> buffer;
  const size_t size_all = text.size();
  for (int i = 0; arrived.size() < size_all && i < 10'000; ++i) {
    if (!text.empty()) {
      // In pieces of uneven sizes, as answers come.
      std::array<iovec, 7> parts{};
      size_t count = 0;
      size_t offset = 0;
      for (const size_t size : {1UL, 40'000UL, 9UL, 500UL, 16'384UL, 3UL, 100'000UL}) {
        const size_t taken = std::min(size, text.size() - offset);
        if (taken == 0) break;
        parts[count++] = {const_cast<char*>(text.data()) + offset, taken};
        offset += taken;
      }
      const Stream::Io io = from.send({parts.data(), count});
      if (io.kind == Stream::Kind::failed) break;
      text.remove_prefix(io.bytes);
    }
    const Stream::Io io = to.receive(buffer);
    if (io.kind == Stream::Kind::moved) arrived.append(buffer.data(), io.bytes);
    if (io.kind == Stream::Kind::failed) break;
  }
  return arrived;
}

}  // namespace lattice::tls
