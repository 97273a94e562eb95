// A strict parser of HTTP/1.1 requests. Whatever two implementations might read differently
// (request smuggling) is an error here: folded lines, bare CR or LF, Content-Length beside
// Transfer-Encoding, repeated Content-Length or Host, spaces before a colon, unknown transfer
// codings.
//
// Thread: one.
// Ownership: collects head and body up to its limits; gives the request away with take().
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/router.h"

namespace lattice::proxy {

class Http1Parser {
 public:
  Http1Parser(size_t head_bytes_max, size_t body_bytes_max)
      : head_bytes_max_(head_bytes_max), body_bytes_max_(body_bytes_max) {}

  // Takes bytes of one request, never those behind its end; answers how many. Zero for input that
  // is not empty means complete() or error() != 0.
  size_t feed(std::string_view bytes);

  bool complete() const { return state_ == State::complete; }
  // The HTTP status that refuses the request; 0 while nothing is wrong. Final.
  int error() const { return error_; }
  // Whether any byte of a request has come; the head is complete.
  bool started() const { return state_ != State::head || !line_.empty(); }
  bool head_complete() const { return state_ != State::head; }
  // The client waits for "100 Continue" before it sends its body. True once.
  bool take_expect_continue();
  // After the head is complete, or failed.
  bool keep_alive() const { return keep_alive_; }
  bool http_1_0() const { return http_1_0_; }

  // Requires: complete(). The parser is then ready for the next request.
  HttpRequest take();

 private:
  enum class State : uint8_t { head, body, chunk_size, chunk_data, chunk_end, trailers, complete };

  size_t feed_head(std::string_view bytes);
  size_t feed_body(std::string_view bytes);
  size_t feed_chunk_data(std::string_view bytes);
  // Collects a line of chunked coding without its CRLF into line_; sets *done when it is whole.
  size_t feed_line(std::string_view bytes, bool* done);
  void on_head();
  void on_chunk_size();
  void on_trailer();
  bool parse_request_line(std::string_view line);
  bool parse_target(std::string_view target);
  bool parse_field(std::string_view line);
  bool interpret_fields();
  bool interpret_field(std::string_view name, std::string_view value);
  bool fail(int status);

  size_t head_bytes_max_;
  size_t body_bytes_max_;
  State state_ = State::head;
  int error_ = 0;
  HttpRequest request_;
  std::string line_;        // the head so far, or a line of chunked coding
  uint64_t body_left_ = 0;  // of the body or of the current chunk
  size_t trailer_bytes_ = 0;
  int hosts_ = 0;
  bool has_length_ = false;
  bool chunked_ = false;
  bool expect_continue_ = false;
  bool keep_alive_ = false;
  bool connection_close_ = false;
  bool connection_keep_alive_ = false;
  bool http_1_0_ = false;
};

}  // namespace lattice::proxy
