// The conditions behind /livez and /readyz, and etcd's way of writing them down (etcd-v3.md 3.2).
// Thread: the loop's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "etcd/services.h"
#include "proxy/router.h"

namespace lattice::etcd {

enum class HealthCheck : uint8_t {
  data_corruption,
  serializable_read,
  linearizable_read,
  non_learner,
  shutdown,
  control_plane,  // only where there is one
};
std::string_view check_name(HealthCheck check);

// Runs one check; the answer is empty when all is well, else the reason.
using CheckDone = absl::AnyInvocable<void(std::string reason)>;
void run_check(Services& services, HealthCheck check, CheckDone done);

struct CheckResult {
  HealthCheck check;
  std::string reason;  // empty: passed
};
// Runs them one after the other.
void run_checks(Services& services, std::vector<HealthCheck> checks,
                absl::AnyInvocable<void(std::vector<CheckResult>)> done);

// 200 "ok", or 503 with the list.
proxy::HttpResponse render_checks(const std::vector<CheckResult>& results, bool verbose);
// The same for those who ask for application/json; with what the control plane has said, where
// somebody governs.
proxy::HttpResponse render_checks_json(const std::vector<CheckResult>& results,
                                       const std::optional<Governed>& governed);

// What has to hold before clients should be sent here.
std::vector<HealthCheck> ready_checks(const Services& services);

// A read of nothing: whether the tenant answers reads now.
void probe_read(Tenant& tenant, bool serializable, CheckDone done);

}  // namespace lattice::etcd
