#include "proxy/http2_runtime.h"

#include <new>

#include "proxy/http2_session.h"

namespace lattice::proxy {
namespace {

// nghttp2's defaults (1000 resets, 33 per second) cut off honest clients: every cancelled call and
// every closed watch is a RST_STREAM (platform.md 1.2).
constexpr uint64_t reset_burst = 10000;
constexpr uint64_t resets_per_second = 500;
// SETTINGS and PING acknowledgements that wait for a peer that does not read.
constexpr size_t outbound_acks_max = 1000;

}  // namespace

// Turns nghttp2's C callbacks into calls of the session.
struct Http2Callbacks {
  static Http2Session& session(void* user_data) { return *static_cast<Http2Session*>(user_data); }
  static std::string_view view(const uint8_t* data, size_t size) {
    return {reinterpret_cast<const char*>(data), size};
  }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    return session(user_data).on_begin_headers(frame);
  }
  static int header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                    void* user_data) {
    return session(user_data).on_header(frame, view(name, name_size), view(value, value_size));
  }
  static int frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    session(user_data).on_frame(frame);
    return 0;
  }
  static int data_chunk(nghttp2_session*, uint8_t, int32_t stream_id, const uint8_t* data,
                        size_t size, void* user_data) {
    session(user_data).on_data(stream_id, view(data, size));
    return 0;
  }
  static int stream_close(nghttp2_session*, int32_t stream_id, uint32_t, void* user_data) {
    session(user_data).on_stream_closed(stream_id);
    return 0;
  }
  static int invalid_frame(nghttp2_session*, const nghttp2_frame*, int, void* user_data) {
    session(user_data).on_fault();
    return 0;
  }
  static int frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    session(user_data).on_frame_sent(frame);
    return 0;
  }
  static int send_data(nghttp2_session*, nghttp2_frame*, const uint8_t* frame_header, size_t size,
                       nghttp2_data_source* source, void* user_data) {
    return session(user_data).send_data(static_cast<Http2Stream*>(source->ptr), frame_header, size);
  }
  static ssize_t read_body(nghttp2_session*, int32_t, uint8_t*, size_t size, uint32_t* flags,
                           nghttp2_data_source* source, void* user_data) {
    return session(user_data).read_body(static_cast<Http2Stream*>(source->ptr), size, flags);
  }
};

nghttp2_data_provider body_provider(Http2Stream& stream) {
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = &Http2Callbacks::read_body;
  return provider;
}

Http2Runtime::Http2Runtime() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* options = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
  callbacks_.reset(callbacks);
  if (nghttp2_option_new(&options) != 0) throw std::bad_alloc();
  options_.reset(options);

  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
                                                          &Http2Callbacks::begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Http2Callbacks::header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Http2Callbacks::frame_recv);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Http2Callbacks::data_chunk);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Http2Callbacks::stream_close);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks,
                                                               &Http2Callbacks::invalid_frame);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, &Http2Callbacks::frame_send);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, &Http2Callbacks::send_data);

  nghttp2_option_set_no_http_messaging(options, 1);  // see header_rules.h
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_option_set_no_closed_streams(options, 1);
  nghttp2_option_set_max_outbound_ack(options, outbound_acks_max);
  nghttp2_option_set_stream_reset_rate_limit(options, reset_burst, resets_per_second);
}

}  // namespace lattice::proxy
