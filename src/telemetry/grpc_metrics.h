// The grpc_server_* counters that etcd's dashboards read, one set for each method that etcd
// registers, all present at 0 from the start.
// Thread: any.
// Ownership: the Registry that it was made with must outlive it.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "telemetry/metrics.h"

namespace lattice::telemetry {

enum class RpcType { unary, server_stream, bidi_stream };

struct RpcMethod {
  std::string_view service;  // "etcdserverpb.KV"
  std::string_view method;   // "Range"
  RpcType type;
};

// Every method of the etcd v3 API and of grpc.health.v1, served by this build or not.
std::span<const RpcMethod> rpc_methods();

class GrpcMetrics {
 public:
  static constexpr size_t code_count = 17;

  // The series of one method: keep the pointer with the route, and counting needs no look-up.
  struct Method {
    Counter* started = nullptr;
    Counter* messages_received = nullptr;
    Counter* messages_sent = nullptr;
    std::array<Counter*, code_count> handled{};
    std::array<Histogram*, code_count> seconds{};  // by code, as `handled`
    Histogram* handling_seconds = nullptr;         // their sum, brought up to date at each scrape

    // `code` is the gRPC status; numbers that gRPC does not define count as Unknown.
    void finish(int code, Duration took);
  };

  explicit GrpcMetrics(Registry& registry);

  // By path, "/etcdserverpb.KV/Range". Paths that etcd does not know share one set.
  Method& find(std::string_view path);

  // lattice_adapter_etcd_requests_total and _errors_total: all methods together.
  Counter& requests() { return requests_; }
  Counter& errors() { return errors_; }

 private:
  void sum_up();

  absl::flat_hash_map<std::string, Method> methods_;
  Method unknown_;
  Counter& requests_;
  Counter& errors_;
};

// "OK", "Canceled", ...: the value of the label grpc_code.
std::string_view grpc_code_name(int code);

}  // namespace lattice::telemetry
