// What the transport reports of calls: as metrics; as a line in the log of each slow one, and at
// level debug of each; and what it refuses to the audit log.
// Thread: one loop; the metrics behind it are shared by all loops.
#pragma once

#include "loop/loop.h"
#include "proxy/listener.h"
#include "proxy/token_bucket.h"
#include "telemetry/audit_log.h"
#include "telemetry/grpc_metrics.h"
#include "telemetry/logger.h"
#include "telemetry/server_metrics.h"

namespace lattice::server {

class CallObserver final : public proxy::Observer {
 public:
  CallObserver(const loop::Loop& loop, telemetry::GrpcMetrics& calls,
               telemetry::ServerMetrics& server, telemetry::Logger& log, telemetry::AuditLog* audit,
               Duration slow_request)
      : loop_(loop),
        calls_(calls),
        server_(server),
        log_(log),
        audit_(audit),
        slow_request_(slow_request) {}

  // The note is the method's set of metrics.
  CallNote on_call_started(std::string_view path) override;
  void on_message_received(CallNote note) override;
  void on_message_sent(CallNote note) override;
  void on_call_finished(CallNote note, std::string_view path, proxy::GrpcCode code,
                        Duration took) override;
  bool wants_report(std::string_view path, Duration took) const override;
  void on_call_report(const proxy::CallReport& report) override;
  void on_call_refused(const proxy::ServerStream& stream, const proxy::GrpcStatus& status) override;
  void on_http_refused(const proxy::HttpRequest& request, std::string_view why) override;
  void on_bytes(size_t received, size_t sent) override;
  void on_goaway(std::string_view reason) override;
  void on_transport_failure(std::string_view peer, const proxy::TransportFailure& failure,
                            bool tell) override;

 private:
  bool is_slow(std::string_view path, Duration took) const;
  bool may_tell_slow();
  void audit_failure(std::string_view peer, const proxy::TransportFailure& failure);

  const loop::Loop& loop_;
  telemetry::GrpcMetrics& calls_;
  telemetry::ServerMetrics& server_;
  telemetry::Logger& log_;
  telemetry::AuditLog* const audit_;  // null: off
  const Duration slow_request_;       // 0: none is slow
  // Where all requests are slow, a line for each would be most of the work.
  proxy::TokenBucket slow_lines_{100, 10};
  uint64_t untold_ = 0;  // slow requests since the last line
};

}  // namespace lattice::server
