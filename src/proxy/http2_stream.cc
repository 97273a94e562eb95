#include "proxy/http2_stream.h"

#include "proxy/context.h"
#include "proxy/grpc_text.h"
#include "proxy/http2_session.h"
#include "proxy/http_exchange.h"

namespace lattice::proxy {

Http2StreamPool::Http2StreamPool() = default;
Http2StreamPool::~Http2StreamPool() = default;

std::unique_ptr<Http2Stream> Http2StreamPool::get() {
  if (free_.empty()) return nullptr;
  std::unique_ptr<Http2Stream> stream = std::move(free_.back());
  free_.pop_back();
  return stream;
}

void Http2StreamPool::put(std::unique_ptr<Http2Stream> stream) {
  stream->recycle();
  if (free_.size() < kept_max) free_.push_back(std::move(stream));
}

Http2Stream::Http2Stream(const Limits& limits)
    : head(limits.header_list_bytes_max), grpc(*this, limits) {}

Http2Stream::~Http2Stream() = default;

void Http2Stream::open(Http2Session& session, int32_t stream_id) {
  session_ = &session;
  id = stream_id;
}

void Http2Stream::recycle() {
  grpc.recycle();
  http_.reset();
  head.clear();
  body.clear();
  session_ = nullptr;
  kind_ = Kind::undecided;
  id = 0;
  response_started = body_complete = unread = answered = plain = deferred = remote_ended =
      local_ended = false;
  input_paused = call_paused = round_robin = false;
  unconsumed = sent_unreported = index = 0;
}

void Http2Stream::on_headers() {
  if (kind_ != Kind::undecided) return;  // trailers of the request mean nothing to us
  // A gRPC path with a wrong content type is gRPC's to refuse.
  const Router& router = session_->context().router;
  const bool grpc_call = is_grpc_content_type(head.content_type()) ||
                         (head.method() == "POST" && router.find_grpc(head.path()) != nullptr);
  if (grpc_call) {
    kind_ = Kind::grpc;
    return grpc.begin();
  }
  kind_ = Kind::http;
  http_ = std::make_unique<HttpExchange>(*this);
}

void Http2Stream::on_data(std::string_view bytes) {
  if (kind_ == Kind::grpc) grpc.on_data(bytes);
  if (kind_ == Kind::http) http_->on_data(bytes);
}

void Http2Stream::on_end() {
  if (kind_ == Kind::grpc) grpc.on_end();
  if (kind_ == Kind::http) http_->on_end();
}

size_t Http2Stream::held() const { return grpc.held() + (http_ == nullptr ? 0 : http_->held()); }

void Http2Stream::on_sent(size_t bytes) {
  if (kind_ == Kind::grpc) grpc.on_sent(bytes);
}

void Http2Stream::on_closed() {
  local_ended = true;
  if (kind_ == Kind::grpc) grpc.on_closed();
  if (kind_ == Kind::http) http_->on_closed();
}

}  // namespace lattice::proxy
