// A small blocking gRPC client for tests, on nghttp2's client side: calls, streams, flow control
// that can be withheld, and raw bytes for hostile ones. Header-only, so that other folders' tests
// can use it.
//
// Thread: one. Nothing is read or written outside its functions; wait() and the like give up after
// patience_default and answer false.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/grpc_text.h"

namespace lattice::proxy {

inline constexpr std::chrono::seconds patience_default{10};

// A message in gRPC's framing.
inline std::string grpc_frame(std::string_view message, bool compressed = false) {
  const auto size = static_cast<uint32_t>(message.size());
  std::string frame{static_cast<char>(compressed), static_cast<char>(size >> 24),
                    static_cast<char>(size >> 16), static_cast<char>(size >> 8),
                    static_cast<char>(size)};
  return frame.append(message);
}

// A blocking connection to "127.0.0.1:port"; -1 when it is refused.
inline int connect_to(const std::string& address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) return fd;
  close(fd);
  return -1;
}

class TestClient {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  struct Response {
    int http_status = 0;
    std::map<std::string, std::string> headers;   // the first block
    std::map<std::string, std::string> trailers;  // the last block; in trailers-only, the same
    std::string body;
    bool closed = false;
    uint32_t error_code = 0;  // of the RST_STREAM, once closed

    // -1 before the trailers are here.
    int grpc_status() const {
      const auto found = trailers.find("grpc-status");
      return found == trailers.end() ? -1 : std::stoi(found->second);
    }
    std::string grpc_message() const {
      const auto found = trailers.find("grpc-message");
      return found == trailers.end() ? "" : percent_decode(found->second);
    }
    // The complete messages of the body, uncompressed ones as they are.
    std::vector<std::string> messages() const {
      std::vector<std::string> out;
      for (size_t at = 0; at + 5 <= body.size();) {
        uint32_t size = 0;
        std::memcpy(&size, body.data() + at + 1, 4);
        size = ntohl(size);
        if (at + 5 + size > body.size()) break;
        out.push_back(body.substr(at + 5, size));
        at += 5 + size;
      }
      return out;
    }
  };

  struct Goaway {
    bool seen = false;
    int count = 0;
    uint32_t error_code = 0;
    int32_t last_stream_id = 0;
    std::string debug_data;
  };

  struct Options {
    bool withhold_windows = false;  // never send WINDOW_UPDATE
    int32_t stream_window = 1 << 20;
    bool answer_pings = true;
  };

  explicit TestClient(const std::string& address) : TestClient(address, Options()) {}
  TestClient(const std::string& address, const Options& options) : fd_(connect_to(address)) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &TestClient::on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &TestClient::on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &TestClient::on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &TestClient::on_close);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    if (options.withhold_windows) nghttp2_option_set_no_auto_window_update(option, 1);
    if (!options.answer_pings) nghttp2_option_set_no_auto_ping_ack(option, 1);
    nghttp2_session_client_new2(&session_, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(options.stream_window)},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 2);
    flush();
  }
  ~TestClient() {
    nghttp2_session_del(session_);
    if (fd_ >= 0) ::close(fd_);
  }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  bool connected() const { return fd_ >= 0 && !eof_; }
  int fd() const { return fd_; }
  nghttp2_session* session() { return session_; }

  static Headers grpc_headers(const std::string& path) {
    return {{":method", "POST"},    {":scheme", "http"}, {":path", path},
            {":authority", "test"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
  }

  // Starts a gRPC call; messages follow with send(). Answers the stream's id.
  int32_t start(const std::string& path, const Headers& metadata = {}) {
    Headers headers = grpc_headers(path);
    headers.insert(headers.end(), metadata.begin(), metadata.end());
    return start_with(headers);
  }
  int32_t start_with(const Headers& headers, bool end_stream = false) {
    std::vector<nghttp2_nv> fields;
    for (const auto& [name, value] : headers) {
      fields.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                        reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(),
                        value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    nghttp2_data_provider provider{};
    provider.read_callback = &TestClient::read_body;
    const int32_t id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                                              end_stream ? nullptr : &provider, nullptr);
    if (id > 0) {
      uploads_[id];
      responses_[id];
    }
    flush();
    return id;
  }
  // Queues bytes of the request's body as they are.
  void send_raw(int32_t id, std::string_view bytes, bool end) {
    Upload& upload = uploads_[id];
    upload.bytes.append(bytes);
    upload.end = end;
    nghttp2_session_resume_data(session_, id);
    flush();
  }
  void send(int32_t id, std::string_view message, bool end = false) {
    send_raw(id, grpc_frame(message), end);
  }
  void half_close(int32_t id) { send_raw(id, {}, true); }
  void cancel(int32_t id, uint32_t error_code = NGHTTP2_CANCEL) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, error_code);
    flush();
  }
  void ping() {
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    flush();
  }
  // Gives back everything received so far. For withhold_windows.
  void open_window(int32_t id) {
    const size_t size = std::exchange(responses_unconsumed_[id], 0);
    nghttp2_session_consume(session_, id, size);
    flush();
  }
  // Puts bytes on the wire that no HTTP/2 library would send.
  void send_bytes(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }

  const Response& response(int32_t id) { return responses_[id]; }
  // The streams that have closed, in their order.
  const std::vector<int32_t>& closed_in_order() const { return closed_; }
  const Goaway& goaway() const { return goaway_; }
  int pings_answered() const { return pings_answered_; }
  int pings_received() const { return pings_received_; }
  bool eof() const { return eof_; }

  // Reads until `done`, the end of the connection or patience_default. Answers whether `done`.
  bool wait_until(const std::function<bool()>& done,
                  std::chrono::milliseconds patience = patience_default) {
    const auto give_up = std::chrono::steady_clock::now() + patience;
    while (!done()) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          give_up - std::chrono::steady_clock::now());
      if (left.count() <= 0 || !read_some(static_cast<int>(left.count()))) return done();
    }
    return true;
  }
  bool wait_closed(int32_t id) {
    return wait_until([&] { return responses_[id].closed; });
  }
  bool wait_messages(int32_t id, size_t count) {
    return wait_until([&] { return responses_[id].messages().size() >= count; });
  }
  bool wait_goaway() {
    return wait_until([&] { return goaway_.seen; });
  }
  bool wait_eof() {
    return wait_until([&] { return eof_; });
  }
  // Reads whatever comes for that long.
  void pump(std::chrono::milliseconds time) {
    wait_until([] { return false; }, time);
  }

  // A whole unary call.
  Response call(const std::string& path, std::string_view message, const Headers& metadata = {}) {
    const int32_t id = start(path, metadata);
    send(id, message, /*end=*/true);
    wait_closed(id);
    return response(id);
  }
  // A whole plain request over HTTP/2.
  Response http(const std::string& method, const std::string& path, std::string_view body = {},
                const Headers& more = {}) {
    Headers headers = {
        {":method", method}, {":scheme", "http"}, {":path", path}, {":authority", "test"}};
    headers.insert(headers.end(), more.begin(), more.end());
    const int32_t id = start_with(headers, body.empty());
    if (!body.empty()) send_raw(id, body, true);
    wait_closed(id);
    return response(id);
  }

  void flush() {
    for (;;) {
      const uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size <= 0) return;
      send_bytes({reinterpret_cast<const char*>(data), static_cast<size_t>(size)});
    }
  }

 private:
  struct Upload {
    std::string bytes;
    size_t sent = 0;
    bool end = false;
  };

  bool read_some(int timeout_ms) {
    if (eof_ || fd_ < 0) return false;
    pollfd ready{fd_, POLLIN, 0};
    if (poll(&ready, 1, timeout_ms) <= 0) return false;
    char buffer[16384];
    const ssize_t size = recv(fd_, buffer, sizeof buffer, 0);
    if (size <= 0) {
      eof_ = true;
      return false;
    }
    if (nghttp2_session_mem_recv(session_, reinterpret_cast<uint8_t*>(buffer),
                                 static_cast<size_t>(size)) < 0) {
      eof_ = true;
    }
    flush();
    return true;
  }

  static TestClient& self(void* user_data) { return *static_cast<TestClient*>(user_data); }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                       size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                       void* user_data) {
    Response& response = self(user_data).responses_[frame->hd.stream_id];
    const std::string key(reinterpret_cast<const char*>(name), name_size);
    const std::string text(reinterpret_cast<const char*>(value), value_size);
    if (key == ":status") response.http_status = std::stoi(text);
    const bool first = frame->headers.cat == NGHTTP2_HCAT_RESPONSE;
    if (first) response.headers[key] = text;
    if (!first || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) response.trailers[key] = text;
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    TestClient& client = self(user_data);
    const bool ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    if (frame->hd.type == NGHTTP2_PING) ++(ack ? client.pings_answered_ : client.pings_received_);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      const nghttp2_goaway& goaway = frame->goaway;
      client.goaway_ = {
          true, client.goaway_.count + 1, goaway.error_code, goaway.last_stream_id,
          std::string(reinterpret_cast<const char*>(goaway.opaque_data), goaway.opaque_data_len)};
    }
    return 0;
  }
  static int on_data(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size,
                     void* user_data) {
    self(user_data).responses_[id].body.append(reinterpret_cast<const char*>(data), size);
    self(user_data).responses_unconsumed_[id] += size;
    return 0;
  }
  static int on_close(nghttp2_session*, int32_t id, uint32_t error_code, void* user_data) {
    Response& response = self(user_data).responses_[id];
    response.closed = true;
    self(user_data).closed_.push_back(id);
    response.error_code = error_code;
    return 0;
  }
  static ssize_t read_body(nghttp2_session*, int32_t id, uint8_t* into, size_t size,
                           uint32_t* flags, nghttp2_data_source*, void* user_data) {
    Upload& upload = self(user_data).uploads_[id];
    const size_t taken = std::min(size, upload.bytes.size() - upload.sent);
    std::memcpy(into, upload.bytes.data() + upload.sent, taken);
    upload.sent += taken;
    if (upload.sent == upload.bytes.size() && upload.end) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (taken == 0) {
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(taken);
  }

  int fd_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Response> responses_;
  std::map<int32_t, size_t> responses_unconsumed_;
  std::vector<int32_t> closed_;
  std::map<int32_t, Upload> uploads_;
  Goaway goaway_;
  int pings_answered_ = 0;
  int pings_received_ = 0;
  bool eof_ = false;
};

}  // namespace lattice::proxy
