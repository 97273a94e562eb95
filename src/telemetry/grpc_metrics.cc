#include "telemetry/grpc_metrics.h"

#include "absl/strings/string_view.h"

namespace lattice::telemetry {
namespace {

constexpr auto unary = RpcType::unary;
constexpr auto server_stream = RpcType::server_stream;
constexpr auto bidi_stream = RpcType::bidi_stream;

constexpr RpcMethod methods[] = {
    {"etcdserverpb.KV", "Range", unary},
    {"etcdserverpb.KV", "RangeStream", server_stream},
    {"etcdserverpb.KV", "Put", unary},
    {"etcdserverpb.KV", "DeleteRange", unary},
    {"etcdserverpb.KV", "Txn", unary},
    {"etcdserverpb.KV", "Compact", unary},
    {"etcdserverpb.Watch", "Watch", bidi_stream},
    {"etcdserverpb.Lease", "LeaseGrant", unary},
    {"etcdserverpb.Lease", "LeaseRevoke", unary},
    {"etcdserverpb.Lease", "LeaseKeepAlive", bidi_stream},
    {"etcdserverpb.Lease", "LeaseTimeToLive", unary},
    {"etcdserverpb.Lease", "LeaseLeases", unary},
    {"etcdserverpb.Cluster", "MemberAdd", unary},
    {"etcdserverpb.Cluster", "MemberRemove", unary},
    {"etcdserverpb.Cluster", "MemberUpdate", unary},
    {"etcdserverpb.Cluster", "MemberList", unary},
    {"etcdserverpb.Cluster", "MemberPromote", unary},
    {"etcdserverpb.Maintenance", "Alarm", unary},
    {"etcdserverpb.Maintenance", "Status", unary},
    {"etcdserverpb.Maintenance", "Defragment", unary},
    {"etcdserverpb.Maintenance", "Hash", unary},
    {"etcdserverpb.Maintenance", "HashKV", unary},
    {"etcdserverpb.Maintenance", "Snapshot", server_stream},
    {"etcdserverpb.Maintenance", "MoveLeader", unary},
    {"etcdserverpb.Maintenance", "Downgrade", unary},
    {"etcdserverpb.Auth", "AuthEnable", unary},
    {"etcdserverpb.Auth", "AuthDisable", unary},
    {"etcdserverpb.Auth", "AuthStatus", unary},
    {"etcdserverpb.Auth", "Authenticate", unary},
    {"etcdserverpb.Auth", "UserAdd", unary},
    {"etcdserverpb.Auth", "UserGet", unary},
    {"etcdserverpb.Auth", "UserList", unary},
    {"etcdserverpb.Auth", "UserDelete", unary},
    {"etcdserverpb.Auth", "UserChangePassword", unary},
    {"etcdserverpb.Auth", "UserGrantRole", unary},
    {"etcdserverpb.Auth", "UserRevokeRole", unary},
    {"etcdserverpb.Auth", "RoleAdd", unary},
    {"etcdserverpb.Auth", "RoleGet", unary},
    {"etcdserverpb.Auth", "RoleList", unary},
    {"etcdserverpb.Auth", "RoleDelete", unary},
    {"etcdserverpb.Auth", "RoleGrantPermission", unary},
    {"etcdserverpb.Auth", "RoleRevokePermission", unary},
    {"v3electionpb.Election", "Campaign", unary},
    {"v3electionpb.Election", "Proclaim", unary},
    {"v3electionpb.Election", "Leader", unary},
    {"v3electionpb.Election", "Observe", server_stream},
    {"v3electionpb.Election", "Resign", unary},
    {"v3lockpb.Lock", "Lock", unary},
    {"v3lockpb.Lock", "Unlock", unary},
    {"grpc.health.v1.Health", "Check", unary},
    {"grpc.health.v1.Health", "Watch", server_stream},
    {"grpc.health.v1.Health", "List", unary},
};

constexpr std::array<std::string_view, GrpcMetrics::code_count> code_names = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};
constexpr int code_unknown = 2;

std::string_view type_label(RpcType type) {
  switch (type) {
    case RpcType::unary:
      return "unary";
    case RpcType::server_stream:
      return "server_stream";
    case RpcType::bidi_stream:
      return "bidi_stream";
  }
  return "unknown";
}

std::vector<double> handling_bounds() { return exponential_bounds(0.0001, 2, 17); }

struct Families {
  Family<Counter>& started;
  Family<Counter>& received;
  Family<Counter>& sent;
  Family<Counter>& handled;
  Family<Histogram>& seconds;
  Family<Histogram>& seconds_by_code;

  GrpcMetrics::Method method(std::string_view type, std::string_view service,
                             std::string_view name) {
    GrpcMetrics::Method out;
    out.started = &started.with({type, service, name});
    out.messages_received = &received.with({type, service, name});
    out.messages_sent = &sent.with({type, service, name});
    out.handling_seconds = &seconds.with({type, service, name});
    for (size_t code = 0; code < code_names.size(); ++code) {
      out.handled[code] = &handled.with({type, service, name, code_names[code]});
      out.seconds[code] = &seconds_by_code.with({service, name, code_names[code]});
    }
    return out;
  }
};

Families make_families(Registry& registry) {
  const std::vector<std::string> labels = {"grpc_type", "grpc_service", "grpc_method"};
  return {
      registry.counters("grpc_server_started_total", "RPCs started on the server.", labels),
      registry.counters("grpc_server_msg_received_total",
                        "RPC stream messages received on the server.", labels),
      registry.counters("grpc_server_msg_sent_total", "gRPC stream messages sent by the server.",
                        labels),
      registry.counters("grpc_server_handled_total",
                        "RPCs completed on the server, whatever their outcome.",
                        {"grpc_type", "grpc_service", "grpc_method", "grpc_code"}),
      registry.histograms("grpc_server_handling_seconds",
                          "Time from the start of an RPC to its end.", handling_bounds(), labels),
      registry.histograms("lattice_request_duration_seconds",
                          "Time from the start of a call to its end, by its outcome too.",
                          handling_bounds(), {"grpc_service", "grpc_method", "grpc_code"})};
}

}  // namespace

std::span<const RpcMethod> rpc_methods() { return methods; }

std::string_view grpc_code_name(int code) {
  const bool known = code >= 0 && static_cast<size_t>(code) < code_names.size();
  return code_names[static_cast<size_t>(known ? code : code_unknown)];
}

void GrpcMetrics::Method::finish(int code, Duration took) {
  const bool known = code >= 0 && static_cast<size_t>(code) < code_count;
  const auto at = static_cast<size_t>(known ? code : code_unknown);
  handled[at]->add();
  seconds[at]->observe(took);
}

GrpcMetrics::GrpcMetrics(Registry& registry)
    : requests_(registry.counter("lattice_adapter_etcd_requests_total",
                                 "Requests received by the etcd services.")),
      errors_(registry.counter("lattice_adapter_etcd_errors_total",
                               "Requests that ended with an error: a status other than OK and "
                               "Canceled.")) {
  Families families = make_families(registry);
  for (const RpcMethod& rpc : methods) {
    std::string path = "/";
    path.append(rpc.service).append("/").append(rpc.method);
    methods_.emplace(std::move(path),
                     families.method(type_label(rpc.type), rpc.service, rpc.method));
  }
  unknown_ = families.method("unknown", "unknown", "unknown");
  registry.on_scrape([this] { sum_up(); });
}

void GrpcMetrics::sum_up() {
  for (auto& [path, method] : methods_) method.handling_seconds->set_to_sum(method.seconds);
  unknown_.handling_seconds->set_to_sum(unknown_.seconds);
}

GrpcMetrics::Method& GrpcMetrics::find(std::string_view path) {
  // Debian builds abseil with a string_view of its own.
  const auto found = methods_.find(absl::string_view(path.data(), path.size()));
  return found == methods_.end() ? unknown_ : found->second;
}

}  // namespace lattice::telemetry
