// What nghttp2 reports of a client connection's frames, and what the streams put into it.
#include <algorithm>
#include <charconv>
#include <new>
#include <utility>

#include "proxy/grpc_text.h"
#include "proxy/http2_client.h"
#include "proxy/http2_client_callbacks.h"

namespace lattice::proxy {
namespace {

constexpr size_t header_bytes_max = 64 << 10;

nghttp2_nv field(std::string_view name, std::string_view value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

int parse_number(std::string_view text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : -1;
}

// What gRPC makes of an answer that is no gRPC answer.
GrpcCode code_of_http(int status) {
  switch (status) {
    case 400:
      return GrpcCode::internal;
    case 401:
      return GrpcCode::unauthenticated;
    case 403:
      return GrpcCode::permission_denied;
    case 404:
      return GrpcCode::unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcCode::unavailable;
    default:
      return GrpcCode::unknown;
  }
}

}  // namespace

struct Http2ClientCallbacks {
  static Http2Client& client(void* user_data) { return *static_cast<Http2Client*>(user_data); }
  static std::string_view view(const uint8_t* data, size_t size) {
    return {reinterpret_cast<const char*>(data), size};
  }
  static int header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                    void* user_data) {
    client(user_data).on_header(frame, view(name, name_size), view(value, value_size));
    return 0;
  }
  static int frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    client(user_data).on_frame(frame);
    return 0;
  }
  static int data_chunk(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size,
                        void* user_data) {
    client(user_data).on_data(id, view(data, size));
    return 0;
  }
  static int stream_close(nghttp2_session*, int32_t id, uint32_t error_code, void* user_data) {
    client(user_data).on_stream_closed(id, error_code);
    return 0;
  }
  static int frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    client(user_data).on_frame_sent(frame);
    return 0;
  }
  static int send_data(nghttp2_session*, nghttp2_frame* frame, const uint8_t* frame_header,
                       size_t size, nghttp2_data_source*, void* user_data) {
    return client(user_data).send_data(frame->hd.stream_id, frame_header, size);
  }
  static ssize_t read_body(nghttp2_session*, int32_t id, uint8_t*, size_t size, uint32_t* flags,
                           nghttp2_data_source*, void* user_data) {
    return client(user_data).read_body(id, size, flags);
  }
};

nghttp2_session* new_client_session(Http2Client& client) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* options = nullptr;
  nghttp2_session* session = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&options) != 0) {
    throw std::bad_alloc();
  }
  using Callbacks = Http2ClientCallbacks;
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Callbacks::header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Callbacks::frame_recv);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Callbacks::data_chunk);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Callbacks::stream_close);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, &Callbacks::frame_send);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, &Callbacks::send_data);
  nghttp2_option_set_no_auto_window_update(options, 1);
  const int result = nghttp2_session_client_new2(&session, callbacks, &client, options);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_option_del(options);
  if (result != 0) throw std::bad_alloc();
  return session;
}

nghttp2_data_provider client_body_provider() {
  nghttp2_data_provider provider{};
  provider.read_callback = &Http2ClientCallbacks::read_body;
  return provider;
}

std::unique_ptr<ClientStream> Http2Client::open(std::string_view path, const Metadata& metadata,
                                                ClientStreamEvents& events, AnswerForm form) {
  auto stream = std::unique_ptr<ClientStream>(
      new ClientStream(*this, events, options_.message_bytes_max, form));
  std::vector<nghttp2_nv> fields = {
      field(":method", "POST"), field(":scheme", "http"),
      field(":path", path),     field(":authority", address_),
      field("te", "trailers"),  field("content-type", "application/grpc")};
  for (const auto& [name, value] : metadata) fields.push_back(field(name, value));
  const nghttp2_data_provider provider = client_body_provider();
  stream->id_ = nghttp2_submit_request(session_.get(), nullptr, fields.data(), fields.size(),
                                       &provider, nullptr);
  // No id left: the call ends as if it had been refused.
  if (stream->id_ < 0) {
    going_away_ = true;
    ClientStream* refused = stream.get();
    refused->id_ = INT32_MIN;
  }
  streams_.emplace(stream->id_, stream.get());
  if (stream->id_ < 0) {
    context_.loop.defer([this, alive = alive_] {
      ClientStream* refused = *alive ? find(INT32_MIN) : nullptr;
      if (refused != nullptr) end(*refused, {GrpcCode::unavailable, "no stream left"}, true);
    });
  }
  request_flush();
  return stream;
}

void Http2Client::resume(ClientStream& stream) {
  if (std::exchange(stream.deferred_, false)) {
    nghttp2_session_resume_data(session_.get(), stream.id_);
  }
  request_flush();
}

void Http2Client::consume(ClientStream& stream, size_t bytes) {
  nghttp2_session_consume_stream(session_.get(), stream.id_, bytes);
  request_flush();
}

void Http2Client::cancel(ClientStream& stream) {
  streams_.erase(stream.id_);
  if (closed_ || stream.id_ < 0) return;
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.id_, NGHTTP2_CANCEL);
  request_flush();
}

void Http2Client::on_header(const nghttp2_frame* frame, std::string_view name,
                            std::string_view value) {
  ClientStream* stream = find(frame->hd.stream_id);
  if (stream == nullptr) return;
  if (name == ":status") {
    stream->http_status_ = parse_number(value);
    return;
  }
  size_t size = name.size() + value.size();
  for (const auto& [known, text] : stream->headers_) size += known.size() + text.size();
  if (size <= header_bytes_max) stream->headers_.emplace_back(name, value);
}

void Http2Client::on_frame(const nghttp2_frame* frame) {
  if (frame->hd.type == NGHTTP2_GOAWAY) going_away_ = true;
  if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return;
  ClientStream* stream = find(frame->hd.stream_id);
  if (stream == nullptr) return;
  const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (frame->hd.type == NGHTTP2_HEADERS && !ends && !stream->headers_told_ &&
      stream->http_status_ >= 200) {
    stream->headers_told_ = true;
    const Metadata headers = std::exchange(stream->headers_, {});
    if (stream->http_status_ == 200) stream->events_.on_headers(headers);
  }
  if (ends) end_by_trailers(*stream);
}

// The answer is complete; the rest of the request, if any, is nobody's any more.
void Http2Client::end_by_trailers(ClientStream& stream) {
  GrpcStatus status{GrpcCode::unknown, "the answer has no status"};
  if (stream.http_status_ != 200) {
    status = {code_of_http(stream.http_status_),
              "HTTP status " + std::to_string(stream.http_status_)};
  }
  bool truncated = !stream.assembler_.at_boundary();
  bool answered = false;
  for (const auto& [name, value] : stream.headers_) {
    if (name == "grpc-status") {
      answered = true;
      const int code = parse_number(value);
      status.code = code >= 0 && code <= 16 ? static_cast<GrpcCode>(code) : GrpcCode::unknown;
      status.message.clear();
    }
  }
  for (const auto& [name, value] : stream.headers_) {
    if (name == "grpc-message") status.message = percent_decode(value);
  }
  if (truncated && status.code == GrpcCode::ok) status = {GrpcCode::internal, "unexpected EOF"};
  if (!stream.half_closed_ || !stream.body_.empty()) {
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.id_, NGHTTP2_NO_ERROR);
    request_flush();
  }
  end(stream, std::move(status), /*unsent=*/false, answered);
}

void Http2Client::on_data(int32_t stream_id, std::string_view bytes) {
  nghttp2_session_consume_connection(session_.get(), bytes.size());
  ClientStream* stream = find(stream_id);
  if (stream == nullptr) return;
  if (stream->input_paused_) {
    stream->unconsumed_ += bytes.size();
  } else {
    nghttp2_session_consume_stream(session_.get(), stream_id, bytes.size());
  }
  if (stream->http_status_ != 200) return;
  if (stream->form_ == AnswerForm::framed) return stream->events_.on_framed(Bytes::copy(bytes));
  const auto outcome = stream->assembler_.feed(&bytes, [&](Bytes message, bool compressed) {
    if (compressed) return false;
    stream->events_.on_message(std::move(message));
    return stream->client_ != nullptr;
  });
  if (outcome == MessageAssembler::Outcome::ok || stream->client_ == nullptr) return;
  const bool too_large = outcome == MessageAssembler::Outcome::too_large;
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_CANCEL);
  end(*stream,
      {too_large ? GrpcCode::resource_exhausted : GrpcCode::internal,
       too_large ? "a message is too large" : "a message is malformed"},
      /*unsent=*/false);
}

void Http2Client::on_stream_closed(int32_t stream_id, uint32_t error_code) {
  ClientStream* stream = find(stream_id);
  if (stream == nullptr) return;
  const bool unsent = !stream->headers_sent_ || error_code == NGHTTP2_REFUSED_STREAM;
  const GrpcCode code = error_code == NGHTTP2_CANCEL ? GrpcCode::canceled : GrpcCode::unavailable;
  end(*stream, {code, "stream closed: " + std::string(nghttp2_http2_strerror(error_code))}, unsent);
}

void Http2Client::on_frame_sent(const nghttp2_frame* frame) {
  if (frame->hd.type != NGHTTP2_HEADERS) return;
  if (ClientStream* stream = find(frame->hd.stream_id)) stream->headers_sent_ = true;
}

void Http2Client::end(ClientStream& stream, GrpcStatus status, bool unsent, bool answered) {
  streams_.erase(stream.id_);
  stream.client_ = nullptr;
  ClientStreamEnd how{std::move(status), std::move(stream.headers_), unsent, answered};
  stream.events_.on_end(how);  // may destroy the stream
}

ssize_t Http2Client::read_body(int32_t stream_id, size_t size, uint32_t* flags) {
  ClientStream* stream = find(stream_id);
  if (stream == nullptr) return NGHTTP2_ERR_DEFERRED;  // cancelled; its reset is under way
  const size_t taken = std::min(size, stream->body_.size());
  if (taken > 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (taken == stream->body_.size() && stream->half_closed_) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
  } else if (taken == 0) {
    stream->deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  return static_cast<ssize_t>(taken);
}

int Http2Client::send_data(int32_t stream_id, const uint8_t* frame_header, size_t size) {
  ClientStream* stream = find(stream_id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  output_.append(std::string_view(reinterpret_cast<const char*>(frame_header), 9));
  const size_t message_bytes = stream->body_.take(size, output_);
  stream->taken_bytes_ += message_bytes;
  if (message_bytes > 0) {
    if (stream->sent_unreported_ == 0) sent_on_.push_back(stream_id);
    stream->sent_unreported_ += message_bytes;
  }
  return output_.size() < turn_output_bytes ? 0 : NGHTTP2_ERR_PAUSE;
}

ClientStream::~ClientStream() {
  if (client_ != nullptr) client_->cancel(*this);
}

void ClientStream::send(const ByteChain& message) {
  if (client_ == nullptr || half_closed_) return;
  body_.push_message(message, /*compressed=*/false);
  client_->resume(*this);
}

void ClientStream::half_close() {
  if (client_ == nullptr || std::exchange(half_closed_, true)) return;
  client_->resume(*this);
}

void ClientStream::pause_input(bool paused) {
  input_paused_ = paused;
  if (!paused && client_ != nullptr && unconsumed_ > 0) {
    client_->consume(*this, std::exchange(unconsumed_, 0));
  }
}

}  // namespace lattice::proxy
