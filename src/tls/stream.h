// TLS over one connected, non-blocking socket.
//
//   receive(): at most one recv() of it -> OpenSSL -> the caller's buffer
//   send():    the caller's parts -> full records -> one send() for all of them
//
// The handshake is part of both: until it is over they answer would_block, and what they are given
// stays the caller's. Small parts are gathered into records, large ones encrypted where they lie.
//
// A server has nothing of OpenSSL's, tens of kilobytes, for a peer that has not sent its first
// record whole. The steps of its handshake, 0.2 ms for the first one, may be taken by another
// thread (leave_steps()): what came is read before a step, and what it answers is sent after it, so
// that the step itself is between the Stream and OpenSSL.
//
// What waits: ciphertext that the socket did not take stays here, and the plaintext behind it
// counts as taken only when it has left; so a call of send() that would block is repeated with the
// same bytes in front. OpenSSL's own answers (handshake, key updates) are bounded by
// output_bytes_max.
//
// Thread: one, step() aside; never blocks. Ownership: owns the descriptor. Its Context is shared.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tls/context.h"
#include "tls/failure.h"
#include "tls/openssl.h"

namespace lattice::tls {

class Stream {
 public:
  enum class Kind : uint8_t { moved, would_block, end, failed };
  struct Io {
    Kind kind = Kind::would_block;
    size_t bytes = 0;  // > 0 with `moved` only
  };

  // `host`: for clients, the name or address whose certificate is expected; empty for servers.
  Stream(std::shared_ptr<const Context> context, int fd, const std::string& host);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  int fd() const { return fd_; }
  // For servers: from now on receive() and send() do not take the handshake's steps but answer
  // would_block, and then the caller sees to it that step() is called, if step_waits().
  void leave_steps() { leaves_steps_ = true; }
  bool step_waits() const { return step_waits_; }
  // Thread: any. Requires: step_waits(), and that nothing else is called until it returns, fd()
  // aside. receive() or send() tell what came of it.
  void step();

  Io receive(std::span<char> into);
  Io send(std::span<const iovec> parts);
  // close_notify and FIN, as far as they can be sent.
  void end_output();

  bool established() const { return established_; }
  // receive() has more although the socket may be silent.
  bool has_buffered_input() const { return more_input_; }
  // Something of our own waits for the socket to be writable.
  bool has_pending_output() const { return !output_.empty(); }
  // Whether anything was ever received.
  bool heard() const { return heard_; }

  // Once established: the other side's certificate, if it showed one.
  std::optional<Names> peer() const;
  // The name that a client asked for (SNI), in lower case.
  std::string server_name() const;
  // Once receive() or send() has failed, or the connection ended within the handshake.
  const Failure& failure() const { return failure_; }

  // ---- OpenSSL's ----
  static constexpr ssize_t nothing_now = -1;
  static constexpr ssize_t broken = -2;
  // Bytes from the socket, 0 at its end, or one of the above.
  ssize_t pull(char* into, size_t size);
  // False: no room for it now.
  bool push(std::string_view bytes);
  bool input_ended() const { return input_ended_; }
  static int on_verify(int verified, X509_STORE_CTX* store);
  static void on_protocol_message(int written, int version, int content_type, const void* bytes,
                                  size_t size, SSL* ssl, void* stream);

 private:
  void begin();
  void make_ssl();
  // Whether a server has heard enough for a step.
  bool gather();
  bool has_first_record() const;
  bool handshake();
  ssize_t receive_some(char* into, size_t size);
  void on_established();
  Kind outcome(int result);
  Io read(std::span<char> into);
  // Puts records of `parts` into output_; adds what they hold to io->bytes.
  void encrypt(std::span<const iovec> parts, Io* io);
  bool flush();
  Kind fail(Failure failure);
  Kind fail(Failure::Kind kind, std::string cause);
  // Whether the failure is known to the caller.
  bool given_up();
  Io discard(std::span<char> into);

  const std::shared_ptr<const Context> context_;
  const int fd_;
  const std::string host_;
  SslPtr ssl_;             // null: a server that was not greeted
  std::string gathered_;   // what came for a server's handshake; OpenSSL takes it first
  std::string output_;     // ciphertext
  size_t sent_ = 0;        // of it
  size_t taken_ = 0;       // plaintext of the caller's that is in output_
  uint64_t received_ = 0;  // plaintext, ever
  uint64_t key_updates_ = 0;
  int reads_left_ = 0;   // of this call
  std::string refused_;  // why the other side's certificate does not verify
  std::string refused_names_;
  Failure failure_;
  bool leaves_steps_ = false;
  bool step_waits_ = false;
  bool failed_apart_ = false;  // in a step that was left to the caller, who is not told yet
  bool established_ = false;
  bool more_input_ = false;
  bool heard_ = false;
  bool input_ended_ = false;
  bool input_broken_ = false;
  bool failed_ = false;
};

}  // namespace lattice::tls
