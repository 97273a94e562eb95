// HTTP/1.1 on a connection: health checks, metrics, the JSON gateway, curl. One request at a time;
// pipelined ones wait unread in the socket.
//
// Thread: the connection's loop.
// Ownership: an answer that comes after the connection has gone is dropped.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/context.h"
#include "proxy/http1_parser.h"
#include "proxy/session.h"

namespace lattice::proxy {

class Http1Session final : public Session {
 public:
  Http1Session(SessionHost& host, Context& context);
  ~Http1Session() override;

  void receive(std::string_view bytes) override;
  bool wants_input() const override { return !busy_ && !closing_ && !has_output(); }
  void produce(OutputBuffer& out) override;
  bool finished() const override { return closing_ && !has_output(); }
  size_t open_streams() const override { return busy_ ? 1 : 0; }
  void begin_drain() override;
  void tick(Instant now) override;
  void abandon() override;

 private:
  bool has_output() const { return !output_.empty() || !body_.empty(); }
  void advance();
  void dispatch();
  void answer(HttpResponse response);
  void refuse(int status);
  void write_response(HttpResponse response, bool with_body);

  SessionHost& host_;
  Context& context_;
  Http1Parser parser_;
  std::string input_;   // behind the request that is being answered
  std::string output_;  // heads
  Bytes body_;          // of the response whose head is last in output_
  // Shared with the handler's respond function; null once the session has gone.
  std::shared_ptr<Http1Session*> self_;
  Instant waiting_since_;      // for the first or next byte of a request's head, or for its rest
  size_t request_bytes_ = 0;   // of the current request
  bool head_request_ = false;  // HEAD: the answer has no body
  bool busy_ = false;          // a request is with its handler
  bool advancing_ = false;
  bool draining_ = false;
  bool closing_ = false;
};

}  // namespace lattice::proxy
