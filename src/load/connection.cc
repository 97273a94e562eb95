#include "load/connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace lattice::load {
namespace {

constexpr size_t input_bytes = 256 * 1024;
constexpr size_t pending_bytes_max = 256 * 1024;
// Wide enough that flow control never limits a run: the subject is the server.
constexpr int32_t wide_window = 16 * 1024 * 1024;
constexpr int32_t connection_window = 256 * 1024 * 1024;
constexpr int32_t held_window = 65535;

nghttp2_nv header(std::string_view name, std::string_view value) {
  // nghttp2 does not write through these pointers; its struct predates const.
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

}  // namespace

Connection::Connection(ConnectionOwner& owner, event_base* base, std::string authority,
                       const TlsClient* tls, Windows windows)
    : owner_(owner),
      base_(base),
      authority_(std::move(authority)),
      windows_(windows),
      holding_(windows == Windows::held),
      socket_(tls),
      input_(input_bytes) {}

bool Connection::open(const std::string& host, uint16_t port) {
  if (!socket_.open(host, port)) return false;
  readable_.reset(event_new(base_, socket_.fd(), EV_READ | EV_PERSIST, on_readable, this));
  writable_.reset(event_new(base_, socket_.fd(), EV_WRITE, on_writable, this));
  if (!readable_ || !writable_ || event_add(readable_.get(), nullptr) != 0) return false;
  return create_session();
}

bool Connection::create_session() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) return false;
  if (nghttp2_option_new(&option) != 0) {
    nghttp2_session_callbacks_del(callbacks);
    return false;
  }
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_option_set_no_closed_streams(option, 1);
  if (windows_ == Windows::held) nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_session* session = nullptr;
  const int rc = nghttp2_session_client_new2(&session, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  session_.reset(session);
  if (rc != 0 || !announce_windows()) return false;
  mark_dirty();
  return true;
}

bool Connection::announce_windows() {
  const bool wide = windows_ == Windows::wide;
  const uint32_t stream_window = wide ? wide_window : held_window;
  const std::array<nghttp2_settings_entry, 3> settings{{
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  if (nghttp2_submit_settings(session_.get(), 0, settings.data(), settings.size()) != 0) {
    return false;
  }
  if (wide) nghttp2_session_set_local_window_size(session_.get(), 0, 0, connection_window);
  return true;
}

void Connection::on_input(int32_t stream_id, size_t size) {
  if (windows_ == Windows::wide) return;
  if (!holding_) {
    nghttp2_session_consume(session_.get(), stream_id, size);
    return;
  }
  held_[stream_id] += size;
}

void Connection::release() {
  holding_ = false;
  for (const auto& [stream_id, size] : held_) {
    nghttp2_session_consume(session_.get(), stream_id, size);
  }
  held_.clear();
  mark_dirty();
}

void Connection::start(Call& call, std::string_view path, std::string body, bool keep_open) {
  std::vector<nghttp2_nv> headers{
      header(":method", "POST"), header(":scheme", socket_.secure() ? "https" : "http"),
      header(":path", path),     header(":authority", authority_),
      header("te", "trailers"),  header("content-type", "application/grpc"),
  };
  if (metadata_ != nullptr) {
    for (const auto& [name, value] : *metadata_) headers.push_back(header(name, value));
  }
  call.reset(std::move(body), keep_open);
  nghttp2_data_provider provider{};
  provider.source.ptr = &call;
  provider.read_callback = read_body;
  call.stream_id_ = nghttp2_submit_request(session_.get(), nullptr, headers.data(), headers.size(),
                                           &provider, &call);
  if (call.stream_id_ < 0) return lost(nghttp2_strerror(call.stream_id_));
  call.open_on_ = this;
  mark_dirty();
}

void Connection::cancel(Call& call) {
  // The reset is sent ahead of any data of its stream, so the body is not read again.
  nghttp2_session_set_stream_user_data(session_.get(), call.stream_id_, nullptr);
  nghttp2_submit_rst_stream(session_.get(), 0, call.stream_id_, NGHTTP2_CANCEL);
  mark_dirty();
}

void Connection::send(Call& call, std::string_view body) {
  if (call.sent_ == call.outgoing_.size()) {
    call.outgoing_.clear();
    call.sent_ = 0;
  }
  call.outgoing_.append(body);
  if (call.deferred_) {
    call.deferred_ = false;
    nghttp2_session_resume_data(session_.get(), call.stream_id_);
  }
  mark_dirty();
}

ssize_t Connection::read_body(nghttp2_session*, int32_t, uint8_t* out, size_t room, uint32_t* flags,
                              nghttp2_data_source* source, void*) {
  auto& call = *static_cast<Call*>(source->ptr);
  const size_t size = std::min(room, call.outgoing_.size() - call.sent_);
  if (size == 0 && call.keep_open_) {
    call.deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  std::memcpy(out, call.outgoing_.data() + call.sent_, size);
  call.sent_ += size;
  if (!call.keep_open_ && call.sent_ == call.outgoing_.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(size);
}

int Connection::on_header(nghttp2_session* session, const nghttp2_frame* frame,
                          const uint8_t* name_data, size_t name_size, const uint8_t* value_data,
                          size_t value_size, uint8_t, void*) {
  const std::string_view name(reinterpret_cast<const char*>(name_data), name_size);
  const std::string_view value(reinterpret_cast<const char*>(value_data), value_size);
  auto* call =
      static_cast<Call*>(nghttp2_session_get_stream_user_data(session, frame->hd.stream_id));
  if (call == nullptr) return 0;
  call->on_header(name, value);
  if (name == "grpc-status") {
    std::from_chars(value.data(), value.data() + value.size(), call->grpc_status_);
  } else if (name == "grpc-message") {
    call->grpc_message_ = value;
  }
  return 0;
}

int Connection::on_data(nghttp2_session* session, uint8_t, int32_t stream_id, const uint8_t* data,
                        size_t size, void* self) {
  static_cast<Connection*>(self)->on_input(stream_id, size);
  auto* call = static_cast<Call*>(nghttp2_session_get_stream_user_data(session, stream_id));
  if (call == nullptr) return 0;
  const bool ok = call->receive({reinterpret_cast<const char*>(data), size});
  return ok ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

int Connection::on_close(nghttp2_session* session, int32_t stream_id, uint32_t, void*) {
  auto* call = static_cast<Call*>(nghttp2_session_get_stream_user_data(session, stream_id));
  if (call == nullptr) return 0;
  call->open_on_ = nullptr;
  call->on_end(call->grpc_status_, call->grpc_message_);
  return 0;
}

int Connection::on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  if (frame->hd.type == NGHTTP2_GOAWAY) static_cast<Connection*>(self)->lost("GOAWAY received");
  return 0;
}

void Connection::on_readable(evutil_socket_t, short, void* self) {
  static_cast<Connection*>(self)->receive();
}

void Connection::on_writable(evutil_socket_t, short, void* self) {
  static_cast<Connection*>(self)->mark_dirty();
}

void Connection::receive() {
  if (lost_) return;
  const ssize_t size = socket_.receive(input_.data(), input_.size());
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return lost(size == 0 ? "connection closed" : std::strerror(errno));
  owner_.on_received();
  const ssize_t used = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const uint8_t*>(input_.data()), static_cast<size_t>(size));
  if (used < 0) return lost(nghttp2_strerror(static_cast<int>(used)));
  mark_dirty();
}

bool Connection::write_pending() {
  while (pending_sent_ < pending_.size()) {
    const ssize_t size =
        socket_.send(pending_.data() + pending_sent_, pending_.size() - pending_sent_);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        event_add(writable_.get(), nullptr);
      } else {
        lost(std::strerror(errno));
      }
      return false;
    }
    pending_sent_ += static_cast<size_t>(size);
  }
  pending_.clear();
  pending_sent_ = 0;
  return true;
}

void Connection::flush() {
  dirty_ = false;
  while (!lost_ && write_pending()) {
    while (pending_.size() < pending_bytes_max) {
      const uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_.get(), &data);
      if (size < 0) return lost(nghttp2_strerror(static_cast<int>(size)));
      if (size == 0) break;
      pending_.append(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
    }
    if (pending_.empty()) return;
  }
}

void Connection::mark_dirty() {
  if (dirty_) return;
  dirty_ = true;
  owner_.on_dirty(*this);
}

void Connection::lost(std::string_view why) {
  if (lost_) return;
  lost_ = true;
  event_del(readable_.get());
  owner_.on_lost(why);
}

}  // namespace lattice::load
