// One plain HTTP request that came over HTTP/2: collected whole, handed to its handler, answered.
//
// Thread: the connection's loop.
// Ownership: part of its stream; an answer that comes after the stream has gone is dropped.
#pragma once

#include <memory>
#include <string_view>

#include "proxy/router.h"

namespace lattice::proxy {

class Http2Stream;

class HttpExchange {
 public:
  // Requires: the stream's request headers are complete.
  explicit HttpExchange(Http2Stream& stream);

  void on_data(std::string_view bytes);
  void on_end();
  void on_closed() { *self_ = nullptr; }
  // Bytes of the body that no handler has seen yet.
  size_t held() const { return request_.body.size(); }

 private:
  void answer(HttpResponse response);

  Http2Stream& stream_;
  HttpRequest request_;
  // Shared with the handler's respond function; null once the stream has gone.
  std::shared_ptr<HttpExchange*> self_;
  bool answered_ = false;
};

}  // namespace lattice::proxy
