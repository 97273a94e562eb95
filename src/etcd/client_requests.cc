#include "etcd/client_requests.h"

namespace lattice::etcd {
namespace {

constexpr size_t versions_max = 64;
constexpr size_t version_bytes_max = 64;

}  // namespace

ClientRequests::ClientRequests(telemetry::Registry& registry)
    : family_(registry.counters("etcd_server_client_requests_total",
                                "Requests by kind and by the version that the client names.",
                                {"type", "client_api_version"}, 2 * versions_max)) {
  known_.emplace("unknown", series_of("unknown"));
}

ClientRequests::Series ClientRequests::series_of(std::string_view version) {
  return {&family_.with({"unary", version}), &family_.with({"stream", version})};
}

void ClientRequests::count(bool stream, std::string_view version) {
  if (version.empty() || version.size() > version_bytes_max) version = "unknown";
  auto found = known_.find(version);
  if (found != known_.end()) return found->second[stream ? 1 : 0]->add();
  Series series = series_of(version);
  if (known_.size() < versions_max) known_.emplace(version, series);
  series[stream ? 1 : 0]->add();
}

}  // namespace lattice::etcd
