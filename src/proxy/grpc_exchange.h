// One gRPC call on an HTTP/2 stream: admission, message framing, compression, deadline, and the
// ServerStream that the service talks to.
//
// Thread: the connection's loop.
// Ownership: part of its pooled stream; owns the Call between begin() and recycle().
// Invariant: a Call hears of at most one end, and nothing after it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "loop/loop.h"
#include "proxy/call.h"
#include "proxy/gzip.h"
#include "proxy/listener.h"
#include "proxy/message_assembler.h"
#include "proxy/message_counter.h"

namespace lattice::proxy {

class Http2Stream;
class Inflation;

class GrpcExchange final : public ServerStream {
 public:
  GrpcExchange(Http2Stream& stream, const Limits& limits);
  ~GrpcExchange() override;

  // The request's headers are in the stream. Starts the Call or answers with what is wrong, in the
  // order of grpc-go's checks.
  void begin();
  void on_data(std::string_view bytes);
  void on_end();
  // The message whose turn it was; not `more`.
  void on_inflated(GzipInflater::State state);
  // `bytes` of the queued messages went to the connection's output.
  void on_sent(size_t bytes);
  // The stream is gone; the Call hears of it unless it was finished. From here on answers are
  // ignored.
  void on_closed();
  // Destroys the Call and makes the exchange ready for another. Not within a callback of the Call.
  void recycle();
  // Bytes that an unfinished message occupies, or one that is not inflated yet.
  size_t held() const;
  // The status to put into the trailers. Requires: finish() was called.
  const GrpcStatus& status() const { return status_; }
  // What the answer's metadata holds.
  const Metadata& headers() const { return headers_; }
  // The id that was made for a call whose client had none, because it gets a line in the log.
  std::string_view made_id() const { return made_id_; }

  const Metadata& metadata() const override;
  std::string_view metadata(std::string_view name) const override;
  std::optional<Instant> deadline() const override { return deadline_; }
  std::string_view peer() const override;
  std::string_view method() const override;
  const PeerCertificate* peer_certificate() const override;
  std::string_view server_name() const override;
  bool uses_gzip() const override { return gzip_; }
  void add_header(std::string name, std::string value) override {
    headers_.emplace_back(std::move(name), std::move(value));
  }
  std::string_view request_id() const override;
  void send(ByteChain message) override;
  void send_framed(Bytes part) override;
  void finish(GrpcStatus status) override;
  size_t pending_bytes() const override;
  void pause_input(bool paused) override;
  void limit_messages(size_t bytes_max) override;
  bool belong_to(const SharedFlow& flow) override;
  Duration overdue() const override;
  bool answers_pile_up() const override;
  FairAccount* fair_account() override;

 private:
  struct Refusal;

  std::optional<Refusal> refusal() const;
  std::optional<Refusal> routing_refusal() const;
  void refuse(const Refusal& refusal);
  void start_call(const CallFactory& factory);
  void take(std::string_view bytes);
  // Whether to go on with what follows the message.
  bool deliver(Bytes message);
  bool inflate(Bytes message);
  bool deliver_inflated(GzipInflater& inflater, GzipInflater::State state);
  void stop_inflating();
  void on_deadline();
  // Ends the call from the transport's side; the service hears on_cancel().
  void abort(GrpcStatus status);
  void complete(GrpcStatus status);
  void start_response();
  void report_refusal(const GrpcStatus& status);
  void report_end(const GrpcStatus& status);
  void take_notes(const GrpcStatus& status);
  void report_closed();

  Http2Stream& stream_;
  const size_t message_bytes_max_;
  MessageAssembler assembler_;
  std::unique_ptr<Inflation> inflation_;  // of a message that takes more than one piece
  std::unique_ptr<Call> call_;
  std::unique_ptr<loop::TimerHandle> deadline_timer_;
  std::optional<Instant> deadline_;
  Instant started_{};
  Instant ended_{};
  Observer::CallNote note_ = nullptr;
  GrpcStatus status_;
  Metadata headers_;
  MessageCounter framed_;
  bool finished_ = false;     // by the service or by the transport: nothing more may be sent
  bool half_closed_ = false;  // the service knows that no message follows
  bool gzip_ = false;         // both ways, as grpc-go does
  mutable std::optional<Metadata> metadata_;
  // Of a call that gets a line in the log.
  struct Noted {
    GrpcStatus status;
    CallNotes notes;
  };
  std::unique_ptr<Noted> noted_;
  std::string made_id_;
};

}  // namespace lattice::proxy
