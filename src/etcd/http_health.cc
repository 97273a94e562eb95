// GET /health, /healthz, /livez and /readyz, to the byte as etcd answers them (etcd-v3.md 3.2).
// /healthz is /livez by the name that Lattice's guide uses.
#include <algorithm>

#include "etcd/error_table.h"
#include "etcd/health_checks.h"
#include "etcd/http_reply.h"
#include "etcd/methods.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

const std::vector<HealthCheck> live_checks = {HealthCheck::serializable_read};

proxy::HttpResponse health_response(const std::string& reason) {
  if (!reason.empty()) {
    return plain_error(503, "{\"health\":\"false\",\"reason\":\"" + json_escape(reason) + "\"}");
  }
  return {200,
          {{"content-type", "text/plain; charset=utf-8"}},
          "{\"health\":\"true\",\"reason\":\"\"}"};
}

// The first alarm that is not excluded, as a reason.
std::string alarm_reason(const std::vector<replica::Alarm>& alarms,
                         const std::vector<std::string>& excluded) {
  for (const replica::Alarm& alarm : alarms) {
    std::string name = alarm.type == etcdserverpb::NOSPACE   ? "NOSPACE"
                       : alarm.type == etcdserverpb::CORRUPT ? "CORRUPT"
                                                             : "UNKNOWN";
    if (std::ranges::find(excluded, name) == excluded.end()) return "ALARM " + name;
  }
  return {};
}

// etcd's order: alarms, leader, then a read.
void answer_health(Services& services, const proxy::HttpRequest& request,
                   proxy::HttpRespond respond) {
  Result<Tenant*> found = services.tenants.find_default();
  if (!found.ok()) return respond(health_response(error_text(found.status())));
  std::vector<std::string> serial = query_values(request.query, "serializable");
  bool serializable = !serial.empty() && serial.front() == "true";
  std::vector<std::string> excluded = query_values(request.query, "exclude");
  Tenant& tenant = **found;
  tenant.api.status([&tenant, serializable, excluded = std::move(excluded),
                     respond = std::move(respond)](Result<replica::StatusResult> status) mutable {
    if (!status.ok()) return respond(health_response(error_text(status.status())));
    std::string reason = alarm_reason(status->alarms, excluded);
    if (reason.empty() && !serializable && !status->has_leader) reason = "RAFT NO LEADER";
    if (!reason.empty()) return respond(health_response(reason));
    probe_read(tenant, serializable, [respond = std::move(respond)](std::string error) mutable {
      respond(health_response(error.empty() ? error : "RANGE ERROR:" + error));
    });
  });
}

bool wants_json(const proxy::HttpRequest& request) {
  const std::vector<std::string> format = query_values(request.query, "format");
  if (!format.empty()) return format.front() == "json";
  for (const auto& [name, value] : request.headers) {
    if (name == "accept" && value.find("application/json") != std::string::npos) return true;
  }
  return false;
}

void answer_checks(Services& services, std::vector<HealthCheck> checks,
                   const proxy::HttpRequest& request, proxy::HttpRespond respond) {
  bool verbose = !query_values(request.query, "verbose").empty();
  bool json = wants_json(request);
  std::optional<Governed> governed;
  if (json && services.governed) governed = services.governed();
  run_checks(
      services, std::move(checks),
      [verbose, json, governed = std::move(governed),
       respond = std::move(respond)](std::vector<CheckResult> results) mutable {
        respond(json ? render_checks_json(results, governed) : render_checks(results, verbose));
      });
}

// `path` with all its checks, and one path below it for each.
void add_check_family(Services& services, proxy::Router& router, const std::string& path,
                      const std::vector<HealthCheck>& checks) {
  router.add_http(
      path, [&services, checks](proxy::HttpRequest request, proxy::HttpRespond respond) {
        if (request.method != "GET") return respond(method_not_allowed());
        std::vector<HealthCheck> wanted = checks;
        for (const std::string& name : query_values(request.query, "exclude")) {
          std::erase_if(wanted, [&](HealthCheck check) { return check_name(check) == name; });
        }
        answer_checks(services, std::move(wanted), request, std::move(respond));
      });
  router.add_http(path + "/", [&services, checks, prefix = path.size() + 1](
                                  proxy::HttpRequest request, proxy::HttpRespond respond) {
    std::string_view name = std::string_view(request.path).substr(prefix);
    auto found = std::ranges::find(checks, name, check_name);
    if (found == checks.end()) return respond(plain_error(404, "404 page not found"));
    if (request.method != "GET") return respond(method_not_allowed());
    answer_checks(services, {*found}, request, std::move(respond));
  });
}

}  // namespace

void register_http_health(Services& services, proxy::Router& router) {
  router.add_http("/health", [&services](proxy::HttpRequest request, proxy::HttpRespond respond) {
    if (request.method != "GET") return respond(method_not_allowed());
    answer_health(services, request, std::move(respond));
  });
  add_check_family(services, router, "/livez", live_checks);
  add_check_family(services, router, "/healthz", live_checks);
  add_check_family(services, router, "/readyz", ready_checks(services));
}

}  // namespace lattice::etcd
