#include "proxy/http_exchange.h"

#include <utility>

#include "proxy/context.h"
#include "proxy/http2_session.h"
#include "proxy/http2_stream.h"
#include "proxy/http_dispatch.h"

namespace lattice::proxy {

HttpExchange::HttpExchange(Http2Stream& stream)
    : stream_(stream), self_(std::make_shared<HttpExchange*>(this)) {
  request_.method = stream.head.method();
  request_.headers = stream.head.all();
  request_.headers.emplace_back("host", stream.head.authority());
  request_.peer_certificate = stream.session().peer_certificate();
  request_.server_name = stream.session().server_name();
  request_.peer = stream.session().peer();
  if (!split_target(stream.head.path(), &request_.path, &request_.query)) {
    request_.path = stream.head.path();  // "*": only OPTIONS, which looks at no path
  }
}

void HttpExchange::on_data(std::string_view bytes) {
  if (answered_) return;
  request_.body.append(bytes);
  if (request_.body.size() <= stream_.session().context().limits.receive_message_bytes_max) return;
  HttpResponse response = plain_response(413, "http: request body too large\n");
  add_cors(&response);
  answer(std::move(response));
}

void HttpExchange::on_end() {
  if (answered_) return;
  const Context& context = stream_.session().context();
  dispatch_http(context, std::move(request_), [self = self_](HttpResponse response) {
    if (*self != nullptr) (*self)->answer(std::move(response));
  });
}

void HttpExchange::answer(HttpResponse response) {
  if (std::exchange(answered_, true)) return;
  stream_.session().submit_http_response(stream_, std::move(response));
}

}  // namespace lattice::proxy
