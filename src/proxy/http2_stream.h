// One HTTP/2 stream of the server: its request's headers, the response's queue, and whoever handles
// it (a gRPC exchange or a plain HTTP one). Pooled.
//
// Thread: the connection's loop.
// Ownership: the session owns the streams that are open, the pool those that are not.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/grpc_exchange.h"
#include "proxy/outgoing_body.h"
#include "proxy/request_head.h"

namespace lattice::proxy {

class Http2Session;
class HttpExchange;

class Http2Stream {
 public:
  explicit Http2Stream(const Limits& limits);
  ~Http2Stream();
  Http2Stream(const Http2Stream&) = delete;
  Http2Stream& operator=(const Http2Stream&) = delete;

  // A fresh stream from a spare one, and back.
  void open(Http2Session& session, int32_t stream_id);
  void recycle();

  // The request's headers are complete: picks the exchange and starts it.
  void on_headers();
  void on_data(std::string_view bytes);
  void on_end();
  void on_sent(size_t bytes);
  // The stream is gone; nothing is sent or received any more. recycle() follows at the end of the
  // turn.
  void on_closed();

  // Bytes of the request that wait for the rest of their message or body.
  size_t held() const;

  Http2Session& session() { return *session_; }

  RequestHead head;
  OutgoingBody body;
  int32_t id = 0;
  bool response_started = false;  // HEADERS are with nghttp2
  bool body_complete = false;     // nothing will be pushed behind what `body` holds
  bool unread = false;            // its body counts among the connection's unread answers
  bool answered = false;          // it counts among the connection's answers
  bool plain = false;             // an HTTP response: no trailers
  bool deferred = false;          // nghttp2 waits for Http2Session::resume()
  bool remote_ended = false;
  bool local_ended = false;   // END_STREAM is with nghttp2, or the stream was reset
  bool input_paused = false;  // its flow control window is withheld
  bool call_paused = false;   // its call takes no more messages for now
  bool round_robin = false;   // see Http2Session::share_connection
  size_t unconsumed = 0;      // received, not given back to the peer's window
  size_t sent_unreported = 0;
  // Position in the session's list of open streams.
  size_t index = 0;
  GrpcExchange grpc;

 private:
  enum class Kind : uint8_t { undecided, grpc, http };

  Http2Session* session_ = nullptr;
  Kind kind_ = Kind::undecided;
  std::unique_ptr<HttpExchange> http_;
};

}  // namespace lattice::proxy
