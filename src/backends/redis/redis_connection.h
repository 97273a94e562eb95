// One connection to a Redis server (or a Sentinel): commands out, replies in. It knows nothing
// of what they mean, and never comes back once it has ended.
//
// hiredis reads the replies (redisReader); the socket, the buffers and the life are ours, because
// the hiredis of Debian 12 (0.14) asserts what a peer sends to a subscriber, leaks a callback for
// each PING there, and knows neither a timeout nor a bound for what waits to be sent.
//
// Thread: the loop's. Callbacks never run inside a call, none after close().
// Ownership: it may be closed in its own callbacks, but must be destroyed later: see retire().
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "backends/common/resolver.h"
#include "base/status.h"
#include "loop/loop.h"
#include "tls/stream.h"

struct redisReader;
struct redisReply;

namespace lattice::backends {

class RedisConnection {
 public:
  // What waits to be sent.
  static constexpr size_t pending_bytes_max = size_t{8} << 20;
  // The longest reply. A longer one ends the connection: there is no way around it but through it.
  static constexpr size_t reply_bytes_max = size_t{4} << 20;

  struct Events {
    absl::AnyInvocable<void()> connected;
    absl::AnyInvocable<void(const redisReply& reply)> reply;  // it dies with the call
    absl::AnyInvocable<void(Status why)> closed;              // by the peer or by trouble
  };

  // `tls`: null for plaintext; else the server must have a certificate for `host.host`.
  // Requires: `host` has an address (or is one) and a port.
  RedisConnection(loop::Loop& loop, const Host& host, std::shared_ptr<const tls::Context> tls,
                  Events events);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  // False: it does not fit, or the connection has ended; nothing was sent. What one turn of the
  // loop sends leaves together.
  bool send(std::initializer_list<std::string_view> words);
  // Of what was sent, how much waits here.
  size_t pending_bytes() const { return out_.size() - written_; }
  // Ends it silently.
  void close();
  // Closes it at once and destroys it when no callback of its can be on the stack any more.
  static void retire(loop::Loop& loop, std::unique_ptr<RedisConnection> connection);

 private:
  enum class State : uint8_t { connecting, securing, open, closed };
  struct FreeReader {
    void operator()(redisReader* reader) const;
  };

  Status open_socket(const Host& host);
  void on_socket(bool readable, bool writable);
  void finish_connecting();
  // The TLS handshake.
  void secure();
  void become_open();
  void read();
  tls::Stream::Io receive_some(std::span<char> into);
  tls::Stream::Io send_some();
  std::string loss(int error) const;
  bool deliver();
  void flush_soon();
  void flush();
  void fail(std::string why);

  loop::Loop& loop_;
  Events events_;
  State state_ = State::connecting;
  const std::string host_;
  const std::shared_ptr<const tls::Context> tls_;
  int fd_ = -1;                          // until the stream has it
  std::unique_ptr<tls::Stream> stream_;  // with tls_, once connected
  std::unique_ptr<loop::FdWatch> watch_;
  std::unique_ptr<redisReader, FreeReader> reader_;
  std::string out_;
  size_t written_ = 0;  // of out_
  bool flushing_soon_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lattice::backends
