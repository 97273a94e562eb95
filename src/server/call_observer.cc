#include "server/call_observer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "etcd/audit.h"
#include "proxy/trace_context.h"

namespace lattice::server {
namespace {

using telemetry::Level;

// Calls that last as long as their client wants, or as a lock is held by another: never slow.
constexpr auto waiting_calls = std::to_array<std::string_view>(
    {"/etcdserverpb.Watch/Watch", "/etcdserverpb.Lease/LeaseKeepAlive", "/v3lockpb.Lock/Lock",
     "/v3electionpb.Election/Campaign", "/v3electionpb.Election/Observe",
     "/grpc.health.v1.Health/Watch"});

telemetry::GrpcMetrics::Method& method_of(proxy::Observer::CallNote note) {
  return *static_cast<telemetry::GrpcMetrics::Method*>(note);
}

}  // namespace

proxy::Observer::CallNote CallObserver::on_call_started(std::string_view path) {
  telemetry::GrpcMetrics::Method& method = calls_.find(path);
  method.started->add();
  calls_.requests().add();
  return &method;
}

void CallObserver::on_message_received(CallNote note) { method_of(note).messages_received->add(); }

void CallObserver::on_message_sent(CallNote note) { method_of(note).messages_sent->add(); }

void CallObserver::on_call_finished(CallNote note, std::string_view, proxy::GrpcCode code,
                                    Duration took) {
  method_of(note).finish(static_cast<int>(code), took);
  // A client that leaves, as every watch does some day, has met with no error.
  if (code != proxy::GrpcCode::ok && code != proxy::GrpcCode::canceled) calls_.errors().add();
}

bool CallObserver::is_slow(std::string_view path, Duration took) const {
  if (slow_request_.count() == 0 || took < slow_request_) return false;
  return std::ranges::find(waiting_calls, path) == waiting_calls.end();
}

bool CallObserver::wants_report(std::string_view path, Duration took) const {
  return log_.enabled(Level::debug) || is_slow(path, took);
}

bool CallObserver::may_tell_slow() {
  server_.slow_requests.add();
  server_.slow_applies.add();
  const bool may = slow_lines_.take(loop_.now());
  if (!may) ++untold_;
  return may;
}

// No key, value or text of an error above debug: it may quote what the client sent.
void CallObserver::on_call_report(const proxy::CallReport& report) {
  const proxy::ServerStream& stream = report.stream;
  const bool slow = is_slow(stream.method(), report.took);
  if (slow && !may_tell_slow()) return;
  std::vector<telemetry::Field> fields = {
      {"method", stream.method()},
      {"code", telemetry::grpc_code_name(static_cast<int>(report.status.code))},
      {"took_s", report.took}};
  if (slow) fields.emplace_back("expected_s", slow_request_);
  for (const auto& [name, took] : report.notes.phases) fields.emplace_back(name, took);
  if (report.sent_in > Duration{}) fields.emplace_back("sent_s", report.sent_in);
  if (!report.notes.tenant.empty()) fields.emplace_back("tenant", report.notes.tenant);
  fields.emplace_back("request_id", stream.request_id());
  fields.emplace_back("remote", stream.peer());
  if (const auto trace = proxy::parse_traceparent(stream.metadata("traceparent"))) {
    fields.emplace_back("trace_id", trace->trace_id);
    fields.emplace_back("span_id", trace->span_id);
    fields.emplace_back("trace_flags", trace->flags);
  }
  if (slow) {
    if (untold_ > 0) fields.emplace_back("untold", std::exchange(untold_, 0));
    // etcd's words, which its operators search for.
    return log_.log_all(Level::warn, "apply request took too long", fields);
  }
  if (!report.status.message.empty()) fields.emplace_back("error", report.status.message);
  log_.log_all(Level::debug, "request", fields);
}

void CallObserver::on_call_refused(const proxy::ServerStream& stream,
                                   const proxy::GrpcStatus& status) {
  if (audit_ == nullptr || !etcd::is_refusal(status)) return;
  std::optional<telemetry::AuditLine> line = audit_->begin_refusal();
  if (!line) return;
  etcd::describe_call(stream, nullptr, nullptr, &*line);
  etcd::describe_end(status, "refused", &*line);
  audit_->write_refusal(std::move(*line));
}

void CallObserver::on_http_refused(const proxy::HttpRequest& request, std::string_view why) {
  if (audit_ == nullptr) return;
  std::optional<telemetry::AuditLine> line = audit_->begin_refusal();
  if (!line) return;
  line->text("method", request.path).text("auth", "none").text("remote", request.peer);
  etcd::describe_end({proxy::GrpcCode::unauthenticated, std::string(why)}, "refused", &*line);
  audit_->write_refusal(std::move(*line));
}

void CallObserver::on_bytes(size_t received, size_t sent) {
  if (received > 0) server_.client_bytes_received.add(received);
  if (sent > 0) server_.client_bytes_sent.add(sent);
}

void CallObserver::on_goaway(std::string_view reason) { server_.goaways.with({reason}).add(); }

void CallObserver::on_transport_failure(std::string_view peer,
                                        const proxy::TransportFailure& failure, bool tell) {
  server_.connection_failures.with({failure.reason}).add();
  audit_failure(peer, failure);
  if (!tell) return;
  log_.warn("a client could not connect", {{"peer", peer},
                                           {"reason", failure.reason},
                                           {"cause", failure.cause},
                                           {"asked_for", failure.asked},
                                           {"certificate_for", failure.offered}});
}

void CallObserver::audit_failure(std::string_view peer, const proxy::TransportFailure& failure) {
  if (audit_ == nullptr) return;
  std::optional<telemetry::AuditLine> line = audit_->begin_refusal("connection");
  if (!line) return;
  line->text("remote", peer).text("reason", failure.reason).text("error", failure.cause);
  line->text_if("asked_for", failure.asked).text_if("certificate", failure.offered);
  line->text("outcome", "refused");
  audit_->write_refusal(std::move(*line));
}

}  // namespace lattice::server
