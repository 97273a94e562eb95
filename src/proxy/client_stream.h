// One gRPC call of this process to another, on an Http2Client's connection: messages out under flow
// control, messages in, the end.
//
// Thread: the connection's loop.
// Ownership: the caller owns the stream; destroying it cancels the call, and no event follows. A
//   stream is not destroyed inside one of its events but on_end(). Its client may die first: the
//   stream then does nothing.
// Backpressure: outwards look at pending_bytes(); inwards, pause_input() lets the peer's window run
//   out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/byte_chain.h"
#include "proxy/call.h"
#include "proxy/message_assembler.h"
#include "proxy/outgoing_body.h"

namespace lattice::proxy {

class Http2Client;

// How the body of an answer is handed out.
enum class AnswerForm : uint8_t {
  messages,  // whole ones
  framed,    // as it comes: prefixes and all, cut anywhere
};

struct ClientStreamEnd {
  // What the server answered; `unavailable` when it did not: the connection was lost, or refused.
  GrpcStatus status;
  Metadata trailers;
  // No byte of the call can have been processed: it was never sent, or the server said so
  // (REFUSED_STREAM, or a GOAWAY below it).
  bool unsent = false;
  // The status is the server's own.
  bool answered = false;
};

class ClientStreamEvents {
 public:
  virtual ~ClientStreamEvents() = default;
  virtual void on_headers(const Metadata& headers) { (void)headers; }
  virtual void on_message(Bytes message) { (void)message; }
  virtual void on_framed(Bytes part) { (void)part; }
  // `bytes` of queued messages have left for the socket: there is room for more.
  virtual void on_sent(size_t bytes) { (void)bytes; }
  // The last event; never inside open() or send().
  virtual void on_end(const ClientStreamEnd& end) = 0;
};

class ClientStream {
 public:
  ~ClientStream();
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;

  // Queues one message; never blocks. Without effect once the call has ended.
  void send(const ByteChain& message);
  // No message will follow.
  void half_close();
  // Queued message bytes that flow control has not let go yet.
  size_t pending_bytes() const { return body_.message_bytes(); }
  // Message bytes, without prefixes, that left the queue since the call began: what was sent behind
  // them cannot have reached the peer.
  uint64_t taken_bytes() const { return taken_bytes_; }
  void pause_input(bool paused);

 private:
  friend class Http2Client;
  ClientStream(Http2Client& client, ClientStreamEvents& events, size_t message_bytes_max,
               AnswerForm form)
      : client_(&client), events_(events), form_(form), assembler_(message_bytes_max) {}

  Http2Client* client_;  // null: the call has ended
  ClientStreamEvents& events_;
  const AnswerForm form_;
  int32_t id_ = 0;
  MessageAssembler assembler_;
  OutgoingBody body_;
  uint64_t taken_bytes_ = 0;
  size_t sent_unreported_ = 0;
  size_t unconsumed_ = 0;  // received while the input is paused
  Metadata headers_;       // of the response, then its trailers
  int http_status_ = 0;
  bool headers_sent_ = false;
  bool headers_told_ = false;
  bool half_closed_ = false;
  bool deferred_ = false;  // nghttp2 waits for more of the body
  bool input_paused_ = false;
};

}  // namespace lattice::proxy
