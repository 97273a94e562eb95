// etcd_server_client_requests_total: requests by kind and by the version that the client names in
// its metadata. Thread: one loop; the family behind it is shared.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "telemetry/metrics.h"

namespace lattice::etcd {

class ClientRequests {
 public:
  explicit ClientRequests(telemetry::Registry& registry);
  // An empty version counts as "unknown", as in etcd.
  void count(bool stream, std::string_view version);

 private:
  using Series = std::array<telemetry::Counter*, 2>;  // unary, stream
  Series series_of(std::string_view version);

  telemetry::Family<telemetry::Counter>& family_;
  // Peers choose the versions: beyond these, counting costs a look-up.
  std::map<std::string, Series, std::less<>> known_;
};

}  // namespace lattice::etcd
