#include "proxy/grpc_exchange.h"

#include <algorithm>
#include <utility>

#include "proxy/context.h"
#include "proxy/grpc_text.h"
#include "proxy/gzip.h"
#include "proxy/http2_session.h"
#include "proxy/http2_stream.h"
#include "proxy/trace_context.h"

namespace lattice::proxy {
namespace {

// Below this gzip's header and trailer eat what compression saves.
constexpr size_t compress_bytes_min = 512;

bool wants_report(const Context& context, const RequestHead& head, Duration took) {
  return context.observer != nullptr && context.observer->wants_report(head.path(), took);
}

}  // namespace

struct GrpcExchange::Refusal {
  int http_status;
  GrpcCode code;
  std::string message;
};

GrpcExchange::GrpcExchange(Http2Stream& stream, const Limits& limits)
    : stream_(stream),
      message_bytes_max_(limits.receive_message_bytes_max),
      assembler_(limits.receive_message_bytes_max) {}

GrpcExchange::~GrpcExchange() = default;

void GrpcExchange::begin() {
  const Router& router = stream_.session().context().router;
  started_ = stream_.session().context().loop.now();
  if (!router.admits(stream_.head.path(), peer_certificate())) {
    return refuse({200, GrpcCode::unauthenticated, "a client certificate is required"});
  }
  if (const std::optional<Refusal> refused = refusal()) return refuse(*refused);
  const CallFactory* factory = router.find_grpc(stream_.head.path());
  if (factory == nullptr) {
    const std::optional<Refusal> refused = routing_refusal();
    return refuse(*refused);
  }
  start_call(*factory);
}

std::optional<GrpcExchange::Refusal> GrpcExchange::refusal() const {
  const RequestHead& head = stream_.head;
  if (!is_grpc_content_type(head.content_type())) {
    return Refusal{415, GrpcCode::invalid_argument,
                   "invalid gRPC request content-type " + quoted(head.content_type())};
  }
  if (!head.grpc_timeout().empty()) {
    const GrpcTimeout timeout = parse_grpc_timeout(head.grpc_timeout());
    if (!timeout.error.empty()) {
      return Refusal{400, GrpcCode::internal, "malformed grpc-timeout: " + timeout.error};
    }
  }
  if (head.has_binary()) {
    Metadata metadata;
    std::pair<std::string, std::string> malformed;
    if (!head.grpc_metadata(&metadata, &malformed)) {
      return Refusal{400, GrpcCode::internal,
                     "malformed binary metadata " + quoted(malformed.second) + " in header " +
                         quoted(malformed.first)};
    }
    metadata_ = std::move(metadata);
  }
  if (head.method() != "POST") {
    return Refusal{
        405, GrpcCode::internal,
        "Received a HEADERS frame with :method " + quoted(head.method()) + " which should be POST"};
  }
  const std::string_view encoding = head.grpc_encoding();
  if (!encoding.empty() && encoding != "identity" && encoding != "gzip" &&
      stream_.session().context().router.find_grpc(head.path()) != nullptr) {
    return Refusal{200, GrpcCode::unimplemented,
                   "grpc: Decompressor is not installed for grpc-encoding " + quoted(encoding)};
  }
  return std::nullopt;
}

std::optional<GrpcExchange::Refusal> GrpcExchange::routing_refusal() const {
  const std::string_view path = stream_.head.path();
  const size_t slash = path.rfind('/');
  if (!path.starts_with('/') || slash == 0) {
    return Refusal{200, GrpcCode::unimplemented, "malformed method name: " + quoted(path)};
  }
  const std::string service(path.substr(1, slash - 1));
  if (!stream_.session().context().router.knows_service(path)) {
    return Refusal{200, GrpcCode::unimplemented, "unknown service " + service};
  }
  return Refusal{
      200, GrpcCode::unimplemented,
      "unknown method " + std::string(path.substr(slash + 1)) + " for service " + service};
}

void GrpcExchange::refuse(const Refusal& refusal) {
  finished_ = true;
  half_closed_ = true;
  status_ = {refusal.code, refusal.message};
  report_refusal(status_);
  ended_ = started_;
  if (wants_report(stream_.session().context(), stream_.head, {})) take_notes(status_);
  stream_.session().submit_trailers_only(stream_, refusal.http_status, status_);
}

void GrpcExchange::start_call(const CallFactory& factory) {
  Context& context = stream_.session().context();
  const RequestHead& head = stream_.head;
  gzip_ = head.grpc_encoding() == "gzip";
  if (context.observer != nullptr) note_ = context.observer->on_call_started(head.path());
  if (!head.grpc_timeout().empty()) {
    const Duration timeout = parse_grpc_timeout(head.grpc_timeout()).value;
    const bool far = timeout.count() > Instant::never().nanoseconds - started_.nanoseconds;
    deadline_ = far ? Instant::never() : started_ + timeout;
    deadline_timer_ = context.loop.after(timeout, [this] { on_deadline(); });
  }
  call_ = factory(*this);
}

void GrpcExchange::on_sent(size_t bytes) {
  if (!finished_) call_->on_sent(bytes);
}

void GrpcExchange::on_deadline() {
  abort({GrpcCode::deadline_exceeded, "context deadline exceeded"});
}

void GrpcExchange::abort(GrpcStatus status) {
  if (finished_) return;
  finished_ = true;  // before the callback: it may try to send
  stop_inflating();
  report_refusal(status);
  call_->on_cancel();
  if (!stream_.body.empty()) {
    // A peer that takes nothing would keep us waiting with what is queued.
    report_end(status);
    status_ = std::move(status);
    stream_.session().reset(stream_, NGHTTP2_CANCEL);
    return;
  }
  complete(std::move(status));
}

void GrpcExchange::on_closed() {
  deadline_timer_.reset();
  assembler_.reset();
  stop_inflating();
  inflation_.reset();
  if (!finished_ && call_ != nullptr) {
    finished_ = true;
    report_end({GrpcCode::canceled, "the client has left"});
    call_->on_cancel();
  }
  if (finished_) report_closed();
}

void GrpcExchange::recycle() {
  call_.reset();
  assembler_.limit(message_bytes_max_);
  deadline_.reset();
  metadata_.reset();
  status_ = {};
  headers_.clear();
  framed_ = {};
  noted_.reset();
  made_id_.clear();
  finished_ = half_closed_ = gzip_ = false;
}

const Metadata& GrpcExchange::metadata() const {
  if (!metadata_) {
    metadata_.emplace();
    std::pair<std::string, std::string> malformed;  // refusal() has seen to it that there is none
    stream_.head.grpc_metadata(&*metadata_, &malformed);
  }
  return *metadata_;
}

std::string_view GrpcExchange::metadata(std::string_view name) const {
  if (!name.ends_with("-bin")) return is_transport_header(name) ? "" : stream_.head.find(name);
  for (const auto& [key, value] : metadata()) {
    if (key == name) return value;
  }
  return {};
}

std::string_view GrpcExchange::peer() const { return stream_.session().peer(); }

std::string_view GrpcExchange::method() const { return stream_.head.path(); }

const PeerCertificate* GrpcExchange::peer_certificate() const {
  return stream_.session().peer_certificate().get();  // the connection keeps it
}

std::string_view GrpcExchange::server_name() const { return stream_.session().server_name(); }

Duration GrpcExchange::overdue() const { return stream_.session().overdue(); }
FairAccount* GrpcExchange::fair_account() { return stream_.session().fair_account(); }

bool GrpcExchange::answers_pile_up() const { return stream_.session().answers_pile_up(); }

std::string_view GrpcExchange::request_id() const {
  const std::string_view own = stream_.head.request_id();
  return is_request_id(own) ? own : std::string_view(made_id_);
}

bool GrpcExchange::belong_to(const SharedFlow& flow) { return stream_.session().belong_to(flow); }

void GrpcExchange::send(ByteChain message) {
  if (finished_) return;
  bool compressed = false;
  if (gzip_ && message.size() >= compress_bytes_min) {
    if (std::optional<Bytes> smaller = gzip_deflate(message)) {
      message = ByteChain(*std::move(smaller));
      compressed = true;
    }
  }
  stream_.session().queue_message(stream_, message, compressed);
  Observer* const observer = stream_.session().context().observer;
  if (observer != nullptr) observer->on_message_sent(note_);
  start_response();
}

void GrpcExchange::send_framed(Bytes part) {
  if (finished_) return;
  const size_t ended = framed_.feed(part.view());
  stream_.session().queue_framed(stream_, std::move(part));
  Observer* const observer = stream_.session().context().observer;
  for (size_t i = 0; observer != nullptr && i < ended; ++i) observer->on_message_sent(note_);
  start_response();
}

void GrpcExchange::start_response() {
  if (stream_.response_started) {
    stream_.session().resume(stream_);
  } else {
    stream_.session().submit_grpc_response(stream_, gzip_);
  }
}

void GrpcExchange::finish(GrpcStatus status) {
  if (finished_) return;
  finished_ = true;
  stop_inflating();
  complete(std::move(status));
}

void GrpcExchange::complete(GrpcStatus status) {
  deadline_timer_.reset();
  report_end(status);
  status_ = std::move(status);
  stream_.body_complete = true;
  stream_.session().count_unread(stream_);
  if (stream_.response_started) {
    stream_.session().resume(stream_);
  } else {
    stream_.session().submit_trailers_only(stream_, 200, status_);
  }
}

size_t GrpcExchange::pending_bytes() const { return stream_.body.message_bytes(); }

void GrpcExchange::pause_input(bool paused) {
  if (std::exchange(stream_.call_paused, paused) && !paused) {
    stream_.session().resume_input(stream_);
  }
}

void GrpcExchange::limit_messages(size_t bytes_max) {
  assembler_.limit(std::min(bytes_max, message_bytes_max_));
}

void GrpcExchange::report_refusal(const GrpcStatus& status) {
  Observer* const observer = stream_.session().context().observer;
  if (observer != nullptr) observer->on_call_refused(*this, status);
}

void GrpcExchange::report_end(const GrpcStatus& status) {
  Context& context = stream_.session().context();
  if (context.observer == nullptr) return;
  // What the answer cost this turn belongs to the call.
  ended_ = context.loop.fresh_now();
  context.observer->on_call_finished(note_, stream_.head.path(), status.code, ended_ - started_);
  if (wants_report(context, stream_.head, ended_ - started_)) take_notes(status);
}

void GrpcExchange::take_notes(const GrpcStatus& status) {
  noted_ = std::make_unique<Noted>(Noted{status, {}});
  if (call_ != nullptr) call_->describe(started_, ended_, &noted_->notes);
  if (request_id().empty()) made_id_ = stream_.session().context().request_ids.next();
}

// Its answer may have taken longer to leave than to be found.
void GrpcExchange::report_closed() {
  Context& context = stream_.session().context();
  const Duration took = context.loop.now() - started_;
  if (noted_ == nullptr) {
    if (!wants_report(context, stream_.head, took)) return;
    take_notes(status_);
  }
  context.observer->on_call_report({.stream = *this,
                                    .status = noted_->status,
                                    .took = std::max(took, ended_ - started_),
                                    .sent_in = std::max(took - (ended_ - started_), Duration{}),
                                    .notes = noted_->notes});
}

}  // namespace lattice::proxy
