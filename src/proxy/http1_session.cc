#include "proxy/http1_session.h"

#include <ctime>
#include <utility>

#include "proxy/http_dispatch.h"

namespace lattice::proxy {
namespace {

// A body must come faster than this on average, counted from body_grace on.
constexpr double body_bytes_per_second_min = 240;
constexpr Duration body_grace = std::chrono::seconds(30);

// Answers to pipelined requests that wait for a peer that does not read. Above it no further
// request is looked at.
constexpr size_t pipelined_bytes_max = 256 << 10;

// The wall clock, for people: the Date header.
std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

}  // namespace

Http1Session::Http1Session(SessionHost& host, Context& context)
    : host_(host),
      context_(context),
      parser_(context.limits.header_list_bytes_max, context.limits.receive_message_bytes_max),
      self_(std::make_shared<Http1Session*>(this)),
      waiting_since_(context.loop.now()) {}

Http1Session::~Http1Session() { *self_ = nullptr; }

void Http1Session::receive(std::string_view bytes) {
  if (closing_) return;
  input_.append(bytes);
  advance();
}

void Http1Session::advance() {
  // A handler that answers at once comes back through answer(): the loop here goes on instead of
  // recursing through a long pipeline.
  if (std::exchange(advancing_, true)) return;
  size_t taken = 0;
  while (!busy_ && !closing_ && taken < input_.size() &&
         output_.size() + body_.size() < pipelined_bytes_max) {
    if (!parser_.started()) waiting_since_ = context_.loop.now();
    const size_t fed = parser_.feed(std::string_view(input_).substr(taken));
    taken += fed;
    request_bytes_ += fed;
    if (parser_.error() != 0) {
      refuse(parser_.error());
    } else if (parser_.complete()) {
      dispatch();
    } else if (parser_.take_expect_continue()) {
      output_ += "HTTP/1.1 100 Continue\r\n\r\n";
    }
  }
  input_.erase(0, taken);
  advancing_ = false;
  host_.request_flush();
}

void Http1Session::dispatch() {
  busy_ = true;
  request_bytes_ = 0;
  HttpRequest request = parser_.take();
  head_request_ = request.method == "HEAD";
  request.peer_certificate = host_.peer_certificate();
  request.server_name = host_.server_name();
  request.peer = host_.peer();
  dispatch_http(context_, std::move(request), [self = self_](HttpResponse response) {
    if (*self != nullptr) (*self)->answer(std::move(response));
  });
}

void Http1Session::answer(HttpResponse response) {
  if (!busy_ || closing_) return;
  busy_ = false;
  waiting_since_ = context_.loop.now();
  if (!parser_.keep_alive() || draining_) closing_ = true;
  write_response(std::move(response), !head_request_);
  advance();
}

void Http1Session::refuse(int status) {
  closing_ = true;
  HttpResponse response =
      plain_response(status, std::to_string(status) + " " + std::string(reason_phrase(status)));
  write_response(std::move(response), /*with_body=*/true);
}

void Http1Session::write_response(HttpResponse response, bool with_body) {
  // Responses to pipelined requests of one turn.
  output_.append(body_.view());
  body_ = {};
  output_ += "HTTP/1.1 " + std::to_string(response.status) + " ";
  output_ += reason_phrase(response.status);
  for (const auto& [name, value] : response.headers) {
    output_ += "\r\n";
    output_ += name;
    output_ += ": ";
    output_ += value;
  }
  output_ += "\r\nDate: " + http_date();
  output_ += "\r\nContent-Length: " + std::to_string(response.body.size());
  if (closing_) {
    output_ += "\r\nConnection: close";
  } else if (parser_.http_1_0()) {
    output_ += "\r\nConnection: keep-alive";
  }
  output_ += "\r\n\r\n";
  if (with_body) body_ = Bytes::copy(response.body);
}

void Http1Session::produce(OutputBuffer& out) {
  if (out.size() >= pipelined_bytes_max || !has_output()) return;
  out.append(output_);
  out.append(body_, 0, body_.size());
  output_.clear();
  body_ = {};
  if (!input_.empty()) advance();
}

void Http1Session::begin_drain() {
  draining_ = true;
  if (!busy_ && !parser_.started()) closing_ = true;
  host_.request_flush();
}

void Http1Session::tick(Instant now) {
  if (busy_ || closing_) return;
  const Duration waited = now - waiting_since_;
  if (!parser_.started()) {
    const Duration idle_max = context_.limits.connection_idle_max;
    if (idle_max.count() > 0 && waited >= idle_max) closing_ = true;
  } else if (!parser_.head_complete()) {
    if (waited >= context_.limits.preface_timeout) refuse(408);
  } else if (waited >= body_grace) {
    const double seconds = static_cast<double>(waited.count()) / 1e9;
    if (static_cast<double>(request_bytes_) < seconds * body_bytes_per_second_min) refuse(408);
  }
  if (closing_) host_.request_flush();
}

void Http1Session::abandon() {
  closing_ = true;
  *self_ = nullptr;
}

}  // namespace lattice::proxy
