// The server's side of one HTTP/2 connection, on nghttp2: streams in, frames out, and the limits
// that keep a peer from making us hold or do more than it pays for.
//
// Flow of control: receive() -> nghttp2 -> http2_input.cc -> Http2Stream -> its exchange. The
// exchanges answer through queue_message(), submit_*() and resume(), which only queue; produce(),
// once per turn, drains nghttp2 into the connection's output (http2_output.cc). nghttp2's send is
// never entered from its own callbacks.
//
// Backpressure: inwards, windows are given back only for what was taken (ReceiveWindows); outwards,
// messages wait in the stream's OutgoingBody until the peer's windows and turn_output_bytes allow.
//
// Thread: the connection's loop. Ownership: owns its streams.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <string_view>
#include <vector>

#include "proxy/context.h"
#include "proxy/frame_meter.h"
#include "proxy/header_rules.h"
#include "proxy/http2_stream.h"
#include "proxy/keepalive.h"
#include "proxy/receive_windows.h"
#include "proxy/session.h"
#include "proxy/token_bucket.h"
#include "proxy/unread_answers.h"

namespace lattice::proxy {

class Http2Session final : public Session {
 public:
  Http2Session(SessionHost& host, Context& context);
  ~Http2Session() override;

  void receive(std::string_view bytes) override;
  size_t input_bytes_max() const override { return input_bytes_max_; }
  bool wants_input() const override { return !closing_; }
  bool answers_wait() const override { return answers_ >= waiting_answers_max; }
  void produce(OutputBuffer& out) override;
  bool finished() const override;
  size_t open_streams() const override { return streams_.size(); }
  void begin_drain() override;
  void tick(Instant now) override;
  void abandon() override;

  // For the exchanges.
  Context& context() { return context_; }
  std::string_view peer() const { return host_.peer(); }
  std::shared_ptr<const PeerCertificate> peer_certificate() const {
    return host_.peer_certificate();
  }
  std::string_view server_name() const { return host_.server_name(); }
  bool belong_to(const SharedFlow& flow) { return host_.belong_to(flow); }
  Duration overdue() const { return host_.overdue(); }
  bool answers_pile_up() { return unread_.pile_up(context_.loop.now()); }
  FairAccount* fair_account() { return host_.fair_account(); }
  void queue_message(Http2Stream& stream, const ByteChain& message, bool compressed);
  void queue_framed(Http2Stream& stream, Bytes part);
  // Its call has ended, and what its body holds is the rest.
  void count_unread(Http2Stream& stream);
  void submit_grpc_response(Http2Stream& stream, bool gzip);
  // The whole response in one HEADERS frame.
  void submit_trailers_only(Http2Stream& stream, int http_status, const GrpcStatus& status);
  void submit_http_response(Http2Stream& stream, HttpResponse response);
  // Its call takes messages again.
  void resume_input(Http2Stream& stream);
  // The body has grown or is complete.
  void resume(Http2Stream& stream);
  // As much of a message as this read may inflate; and the rest, in pieces.
  GzipInflater::State inflate_at_once(GzipInflater& inflater);
  void inflate_later(Inflation& inflation) { context_.inflations.add(host_, inflation); }
  // What the stream holds has changed, outside of what nghttp2 reported.
  void update_window(Http2Stream& stream, size_t held_before);
  // Drops what is queued and ends the stream.
  void reset(Http2Stream& stream, uint32_t error_code);

 private:
  friend struct Http2Callbacks;
  // Of an answer that waits, however short it is: its stream, here and in nghttp2.
  static constexpr size_t answer_bytes = 1536;
  static constexpr size_t waiting_answers_max = 1024;
  struct SessionDelete {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  };

  // nghttp2's callbacks, input (http2_input.cc).
  int on_begin_headers(const nghttp2_frame* frame);
  int on_header(const nghttp2_frame* frame, std::string_view name, std::string_view value);
  void on_frame(const nghttp2_frame* frame);
  void on_request_frame(const nghttp2_frame* frame);
  void on_ping(const nghttp2_frame* frame);
  void on_data(int32_t stream_id, std::string_view bytes);
  void on_stream_closed(int32_t stream_id);
  void close_stream(Http2Stream& stream);
  void on_fault();
  void reject_headers(int32_t stream_id);
  // nghttp2's callbacks, output (http2_output.cc).
  ssize_t read_body(Http2Stream* stream, size_t size, uint32_t* flags);
  int send_data(Http2Stream* stream, const uint8_t* frame_header, size_t size);
  void on_frame_sent(const nghttp2_frame* frame);

  void submit_settings();
  bool bears(std::string_view bytes);
  void submit_trailers(Http2Stream& stream);
  void count_queued(Http2Stream& stream, size_t size_before);
  void take_unread(Http2Stream& stream, size_t size);
  // The stream's body is no longer queued.
  void uncount(Http2Stream& stream);
  void count_answer(Http2Stream& stream);
  void share_connection(Http2Stream& stream);
  void report_sent();
  void recycle_closed();
  // GOAWAY and close.
  void hang_up(uint32_t error_code, std::string_view reason);
  void finish_drain();
  Http2Stream* find(int32_t stream_id) const;
  size_t streams_max() const;

  SessionHost& host_;
  Context& context_;
  std::unique_ptr<nghttp2_session, SessionDelete> session_;
  std::vector<std::unique_ptr<Http2Stream>> streams_;
  std::vector<std::unique_ptr<Http2Stream>> closed_;  // recycled at the end of the turn
  std::vector<int32_t> sent_on_;                      // streams with sent_unreported > 0
  Http2Stream* header_stream_ = nullptr;              // whose header block is being read
  HeaderRules header_rules_;
  OutputBuffer* out_ = nullptr;  // during produce()
  ReceiveWindows windows_;
  PingPolicy ping_policy_;
  PeerWatch peer_watch_;
  TokenBucket faults_;          // protocol errors of the peer, resets that it provoked
  TokenBucket useless_frames_;  // legal frames that only cost us work
  TokenBucket window_updates_;  // refilled by what we send
  FrameMeter meter_;
  uint64_t header_block_ = 0;  // that lacks its end, by meter_'s count
  Instant header_block_since_ = Instant::never();
  size_t input_bytes_max_;
  size_t inflate_left_ = 0;  // in this read
  size_t queued_bytes_ = 0;  // in all streams' bodies
  size_t answers_ = 0;       // streams that are answered and still open: not all of it has left
  UnreadAnswers unread_;     // of them
  Instant idle_since_;
  Instant drain_since_ = Instant::never();
  bool goaway_final_ = false;
  bool closing_ = false;
};

}  // namespace lattice::proxy
