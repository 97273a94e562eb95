#include "server/call_observer.h"

#include <algorithm>
#include <array>

namespace lattice::server {
namespace {

// Calls that last as long as their client wants, or as a lock is held by another: never slow.
constexpr auto waiting_calls = std::to_array<std::string_view>(
    {"/etcdserverpb.Watch/Watch", "/etcdserverpb.Lease/LeaseKeepAlive", "/v3lockpb.Lock/Lock",
     "/v3electionpb.Election/Campaign", "/v3electionpb.Election/Observe",
     "/grpc.health.v1.Health/Watch"});

}  // namespace

void CallObserver::on_call_started(std::string_view path) {
  calls_.find(path).started->add();
  calls_.requests().add();
}

void CallObserver::on_call_finished(std::string_view path, proxy::GrpcCode code, Duration took) {
  calls_.find(path).finish(static_cast<int>(code), took);
  if (code != proxy::GrpcCode::ok) calls_.errors().add();
  if (slow_request_.count() == 0 || took < slow_request_) return;
  if (std::ranges::find(waiting_calls, path) != waiting_calls.end()) return;
  server_.slow_requests.add();
  log_.warn("slow request", {{"method", path},
                             {"code", telemetry::grpc_code_name(static_cast<int>(code))},
                             {"took_s", took}});
}

void CallObserver::on_bytes(size_t received, size_t sent) {
  if (received > 0) server_.client_bytes_received.add(received);
  if (sent > 0) server_.client_bytes_sent.add(sent);
}

void CallObserver::on_goaway(std::string_view reason) { server_.goaways.with({reason}).add(); }

}  // namespace lattice::server
