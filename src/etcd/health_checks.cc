#include "etcd/health_checks.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "etcd/error_table.h"
#include "etcd/http_reply.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

struct Run {
  Services& services;
  std::vector<HealthCheck> checks;
  std::vector<CheckResult> results;
  absl::AnyInvocable<void(std::vector<CheckResult>)> done;
};

void run_next(std::shared_ptr<Run> run) {
  size_t index = run->results.size();
  if (index == run->checks.size()) return run->done(std::move(run->results));
  HealthCheck check = run->checks[index];
  run_check(run->services, check, [run, check](std::string reason) {
    run->results.push_back({check, std::move(reason)});
    run_next(run);
  });
}

std::string seconds_text(const std::optional<Duration>& age) {
  if (!age) return "null";
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(*age).count();
  char text[32];
  std::snprintf(text, sizeof(text), "%lld.%03lld", static_cast<long long>(milliseconds / 1000),
                static_cast<long long>(milliseconds % 1000));
  return text;
}

bool passed(const CheckResult& result) { return result.reason.empty(); }

}  // namespace

std::string_view check_name(HealthCheck check) {
  switch (check) {
    case HealthCheck::data_corruption:
      return "data_corruption";
    case HealthCheck::serializable_read:
      return "serializable_read";
    case HealthCheck::linearizable_read:
      return "linearizable_read";
    case HealthCheck::non_learner:
      return "non_learner";
    case HealthCheck::shutdown:
      return "shutdown";
    case HealthCheck::control_plane:
      return "control_plane";
  }
  return {};
}

void probe_read(Tenant& tenant, bool serializable, CheckDone done) {
  keyspace::RangeRequest request;
  request.range.key.assign(1, '\0');
  request.limit = 1;
  request.keys_only = true;
  request.serializable = serializable;
  tenant.api.range(std::move(request),
                   [done = std::move(done)](Result<keyspace::RangeResult> result) mutable {
                     // Nobody asks: refused for that, the read has got as far as it can, as in
                     // etcd.
                     const bool answered = result.ok() || result.error() == Error::user_empty;
                     done(answered ? std::string() : error_text(result.status()));
                   });
}

void run_check(Services& services, HealthCheck check, CheckDone done) {
  if (check == HealthCheck::shutdown) return done(services.draining ? "shutting down" : "");
  if (check == HealthCheck::non_learner) return done({});  // there are no learners here
  if (check == HealthCheck::control_plane) return done(services.control_plane());
  Result<Tenant*> tenant = services.tenants.find_default();
  if (!tenant.ok()) return done(error_text(tenant.status()));
  if (check == HealthCheck::serializable_read) return probe_read(**tenant, true, std::move(done));
  if (check == HealthCheck::linearizable_read) return probe_read(**tenant, false, std::move(done));
  (*tenant)->api.status([done = std::move(done)](Result<replica::StatusResult> result) mutable {
    if (!result.ok()) return done(error_text(result.status()));
    bool corrupt = std::ranges::any_of(result->alarms, [](const replica::Alarm& alarm) {
      return alarm.type == etcdserverpb::CORRUPT;
    });
    done(corrupt ? "alarm activated: CORRUPT" : "");
  });
}

void run_checks(Services& services, std::vector<HealthCheck> checks,
                absl::AnyInvocable<void(std::vector<CheckResult>)> done) {
  run_next(std::make_shared<Run>(Run{services, std::move(checks), {}, std::move(done)}));
}

proxy::HttpResponse render_checks(const std::vector<CheckResult>& results, bool verbose) {
  std::string list;
  for (const CheckResult& result : results) {
    std::string name(check_name(result.check));
    list +=
        passed(result) ? "[+]" + name + " ok\n" : "[-]" + name + " failed: " + result.reason + "\n";
  }
  if (!std::ranges::all_of(results, passed)) return plain_error(503, std::move(list));
  proxy::HttpResponse response = plain_error(200, "ok");
  if (verbose) response.body.insert(0, list);
  return response;
}

std::vector<HealthCheck> ready_checks(const Services& services) {
  std::vector<HealthCheck> checks = {HealthCheck::data_corruption, HealthCheck::serializable_read,
                                     HealthCheck::linearizable_read, HealthCheck::non_learner,
                                     HealthCheck::shutdown};
  if (services.control_plane) checks.push_back(HealthCheck::control_plane);
  return checks;
}

proxy::HttpResponse render_checks_json(const std::vector<CheckResult>& results,
                                       const std::optional<Governed>& governed) {
  bool ready = std::ranges::all_of(results, passed);
  std::string body = std::string("{\"ready\":") + (ready ? "true" : "false") + ",\"conditions\":[";
  for (const CheckResult& result : results) {
    if (body.back() == '}') body += ',';
    body += "{\"name\":\"" + std::string(check_name(result.check)) +
            "\",\"ok\":" + (passed(result) ? "true" : "false");
    if (!passed(result)) body += ",\"reason\":\"" + json_escape(result.reason) + "\"";
    body += '}';
  }
  body += ']';
  if (governed) {
    body += ",\"manifest_digest\":\"" + governed->manifest_digest +
            "\",\"routing_epoch\":" + std::to_string(governed->routing_epoch) +
            ",\"cache_age_seconds\":" + seconds_text(governed->age);
  }
  body += "}\n";
  return {ready ? 200 : 503, {{"content-type", "application/json"}}, std::move(body)};
}

}  // namespace lattice::etcd
