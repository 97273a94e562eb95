#include "server/http_get.h"

#include <poll.h>

#include <array>
#include <memory>
#include <utility>

#include "loop/loop.h"
#include "loop/name_resolver.h"
#include "proxy/dialer.h"
#include "proxy/transport.h"
#include "server/client_endpoint.h"
#include "tls/stream.h"

namespace lattice::server {
namespace {

constexpr size_t body_bytes_max = 64 << 20;

Status broken(std::string why) { return {Error::backend_unavailable, std::move(why)}; }

Result<int> dial(const std::string& address, Duration patience) {
  loop::Loop loop;
  loop::NameResolver resolver(loop);
  Result<int> outcome = broken("no answer");
  const proxy::Dialer dialer(loop, resolver, address, patience, [&](Result<int> socket) {
    outcome = std::move(socket);
    loop.stop();
  });
  loop.run();
  return outcome;
}

// A connected socket, encrypted or not, that waits for what it can do next.
class Wire {
 public:
  Wire(std::unique_ptr<proxy::Transport> plain, std::unique_ptr<tls::Stream> encrypted,
       Duration patience)
      : plain_(std::move(plain)), encrypted_(std::move(encrypted)), patience_(patience) {}

  Status send(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::array<iovec, 1> parts{{{const_cast<char*>(bytes.data()), bytes.size()}}};
      const tls::Stream::Io io =
          encrypted_ != nullptr ? encrypted_->send(parts) : send_plain(parts);
      if (io.kind == tls::Stream::Kind::moved) bytes.remove_prefix(io.bytes);
      if (Status status = go_on(io.kind); !status.ok()) return status;
    }
    return {};
  }

  // Until the other side has ended it.
  Result<std::string> receive() {
    std::string all;
    std::array<char, 16 << 10> buffer;
    while (all.size() < body_bytes_max) {
      const tls::Stream::Io io =
          encrypted_ != nullptr ? encrypted_->receive(buffer) : receive_plain(buffer);
      if (io.kind == tls::Stream::Kind::end) return all;
      all.append(buffer.data(), io.bytes);
      if (Status status = go_on(io.kind); !status.ok()) return status;
    }
    return broken("the answer is too long");
  }

 private:
  static tls::Stream::Io translate(const proxy::IoResult& result) {
    using Kind = proxy::IoResult::Kind;
    switch (result.kind) {
      case Kind::moved:
        return {tls::Stream::Kind::moved, result.bytes};
      case Kind::would_block:
        return {tls::Stream::Kind::would_block, 0};
      case Kind::end:
        return {tls::Stream::Kind::end, 0};
      case Kind::failed:
        break;
    }
    return {tls::Stream::Kind::failed, 0};
  }
  tls::Stream::Io send_plain(std::span<const iovec> parts) {
    return translate(plain_->send(parts));
  }
  tls::Stream::Io receive_plain(std::span<char> into) { return translate(plain_->receive(into)); }

  Status go_on(tls::Stream::Kind kind) {
    if (kind == tls::Stream::Kind::moved) return {};
    if (kind != tls::Stream::Kind::would_block) {
      const std::string why = encrypted_ == nullptr ? "" : encrypted_->failure().describe();
      return broken(why.empty() ? "the connection was lost" : why);
    }
    const bool writes = encrypted_ != nullptr && encrypted_->has_pending_output();
    pollfd entry{};
    entry.fd = encrypted_ != nullptr ? encrypted_->fd() : plain_->fd();
    entry.events = static_cast<short>(writes ? POLLIN | POLLOUT : POLLIN);
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(patience_);
    return poll(&entry, 1, static_cast<int>(milliseconds.count())) > 0 ? Status()
                                                                       : broken("no answer");
  }

  const std::unique_ptr<proxy::Transport> plain_;  // null: encrypted
  const std::unique_ptr<tls::Stream> encrypted_;
  const Duration patience_;
};

Result<std::string> body_of(const std::string& answer) {
  const size_t end = answer.find("\r\n\r\n");
  if (end == answer.npos || !answer.starts_with("HTTP/1.1 ")) return broken("that is no HTTP");
  std::string body = answer.substr(end + 4);
  const std::string status = answer.substr(9, 3);
  if (status == "200") return body;
  while (!body.empty() && body.back() == '\n') body.pop_back();
  return broken("HTTP status " + status + ": " + body);
}

}  // namespace

Result<std::string> http_get(const HttpGet& request) {
  const Result<ClientEndpoint> endpoint =
      client_endpoint(request.endpoint, request.tls, "http/1.1");
  if (!endpoint.ok()) return endpoint.status();
  const auto& [address, context] = *endpoint;
  const Result<int> socket = dial(address, request.patience);
  if (!socket.ok()) return broken(socket.status().detail());
  const std::string host = address.substr(0, address.rfind(':'));
  Wire wire(context == nullptr ? proxy::make_plain_transport(*socket) : nullptr,
            context == nullptr ? nullptr : std::make_unique<tls::Stream>(context, *socket, host),
            request.patience);
  const Status sent = wire.send("GET " + request.path + " HTTP/1.1\r\nhost: " + address +
                                "\r\nconnection: close\r\n\r\n");
  if (!sent.ok()) return sent;
  const Result<std::string> answer = wire.receive();
  return answer.ok() ? body_of(*answer) : answer;
}

}  // namespace lattice::server
