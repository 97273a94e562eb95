// The client's side of one HTTP/2 connection (prior knowledge), on nghttp2: connects, carries gRPC
// calls, notices when the other end is gone.
//
//   readable -> nghttp2 -> the streams' events
//   end of the turn -> nghttp2 -> one writev
//
// A lost or refused connection ends all its streams, then calls on_closed. It does not reconnect:
// make another one.
//
// Thread: its loop; no event comes inside a call.
// Ownership: owns the socket. Not destroyed inside an event of one of its streams, nor inside
//   on_closed: close() it there. Its streams may outlive it. The ClientContext outlives it.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "loop/loop.h"
#include "loop/name_resolver.h"
#include "proxy/client_stream.h"
#include "proxy/dialer.h"
#include "proxy/output_buffer.h"
#include "proxy/transport.h"
#include "tls/context.h"

namespace lattice::proxy {

// What the client connections of a loop share.
struct ClientContext {
  explicit ClientContext(loop::Loop& on_loop)
      : loop(on_loop), resolver(on_loop), receive_buffer(64 << 10, '\0') {}

  loop::Loop& loop;
  loop::NameResolver resolver;
  ChunkPool chunks;
  std::string receive_buffer;
};

struct ClientOptions {
  Duration connect_timeout = std::chrono::seconds(2);
  // A peer that was silent for so long while streams are open is pinged; 0: never.
  Duration ping_interval = std::chrono::seconds(1);
  // ... and given up when nothing at all comes for so long after the ping.
  Duration ping_timeout = std::chrono::seconds(2);
  int32_t stream_window = 4 << 20;
  int32_t connection_window = 16 << 20;
  size_t message_bytes_max = 4 << 20;  // received
  // Null: plaintext. Else the server must have a certificate for the host of its address.
  std::shared_ptr<const tls::Source> tls = nullptr;
};

class Http2Client {
 public:
  using OnClosed = absl::AnyInvocable<void(const Status&)>;
  Http2Client(ClientContext& context, std::string address, const ClientOptions& options,
              OnClosed on_closed);
  ~Http2Client();
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  // Starts a call of "/service/Method". It waits for the connection if need be.
  // Requires: accepts_streams(); `events` outlives the stream.
  [[nodiscard]] std::unique_ptr<ClientStream> open(std::string_view path, const Metadata& metadata,
                                                   ClientStreamEvents& events,
                                                   AnswerForm form = AnswerForm::messages);
  // No event follows, neither of the streams nor on_closed. Also inside an event.
  void close();
  // Not closed, and the peer has not said that it goes.
  bool accepts_streams() const;
  bool connected() const { return transport_ != nullptr; }
  // What of TLS the connection failed of: as TransportFailure::reason, "not_tls" where the peer
  // does not speak it, "tls" where the peer wants it and we do not. Empty: nothing of it. Known in
  // on_closed.
  std::string_view failure() const { return failure_; }
  size_t open_streams() const { return streams_.size(); }

 private:
  friend class ClientStream;
  friend struct Http2ClientCallbacks;
  struct SessionDelete {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  };

  // The connection (http2_client.cc).
  void make_session();
  void on_connected(Result<int> fd);
  void on_ready(bool readable);
  void read();
  void request_flush();
  void flush();
  void produce();
  bool write();
  Status loss();
  bool wants_tls(std::string_view first_bytes) const;
  void report_sent();
  void start_ticking();
  void tick();
  void fail(const Status& status);

  // For the streams.
  void resume(ClientStream& stream);
  void consume(ClientStream& stream, size_t bytes);
  void cancel(ClientStream& stream);

  // nghttp2's callbacks (http2_client_frames.cc).
  void on_header(const nghttp2_frame* frame, std::string_view name, std::string_view value);
  void on_frame(const nghttp2_frame* frame);
  void on_data(int32_t stream_id, std::string_view bytes);
  void on_stream_closed(int32_t stream_id, uint32_t error_code);
  void on_frame_sent(const nghttp2_frame* frame);
  ssize_t read_body(int32_t stream_id, size_t size, uint32_t* flags);
  int send_data(int32_t stream_id, const uint8_t* frame_header, size_t size);

  void end_by_trailers(ClientStream& stream);
  void end(ClientStream& stream, GrpcStatus status, bool unsent, bool answered = false);
  ClientStream* find(int32_t stream_id) const;

  ClientContext& context_;
  const std::string address_;
  const ClientOptions options_;
  OnClosed on_closed_;
  std::unique_ptr<Dialer> dialer_;
  std::unique_ptr<Transport> transport_;  // null until connected
  std::unique_ptr<loop::FdWatch> watch_;
  OutputBuffer output_;
  std::unique_ptr<nghttp2_session, SessionDelete> session_;
  absl::flat_hash_map<int32_t, ClientStream*> streams_;
  std::vector<int32_t> sent_on_;  // streams with sent_unreported_ > 0
  std::unique_ptr<loop::TimerHandle> tick_timer_;
  std::string_view failure_;
  Instant last_heard_;
  Instant pinged_at_ = Instant::never();  // an unanswered ping is under way
  bool heard_ = false;                    // anything at all
  bool overdue_ = false;                  // once more is looked before a silent peer is given up
  bool flush_requested_ = false;
  bool going_away_ = false;
  bool closed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lattice::proxy
