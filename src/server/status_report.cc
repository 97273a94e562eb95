#include "server/status_report.h"

#include <json/value.h>
#include <json/writer.h>

#include <chrono>
#include <utility>

#include "etcd/services.h"
#include "server/node.h"
#include "server/one_line.h"
#include "server/own_limits.h"
#include "telemetry/version.h"

namespace lattice::server {
namespace {

double seconds_of(Duration time) { return std::chrono::duration<double>(time).count(); }

Json::Value number(uint64_t value) { return Json::Value(static_cast<Json::UInt64>(value)); }
Json::Value number(int64_t value) { return Json::Value(static_cast<Json::Int64>(value)); }

std::string to_text(const Json::Value& json) {
  Json::StreamWriterBuilder form;
  form["indentation"] = "";
  form["precision"] = 9;
  return Json::writeString(form, json) + "\n";
}

std::string role_of(const replica::Replica& replica) {
  if (!replica.loaded()) return "loading";
  if (replica.leads()) return "leader";
  return replica.has_leader() ? "follower" : "no leader";
}

Json::Value describe(const Dependency* dependency, Instant now) {
  Json::Value json(Json::objectValue);
  json["configured"] = dependency != nullptr;
  if (dependency == nullptr) return json;
  json["breaker"] = std::string(name_of(dependency->state()));
  json["latency_seconds"] =
      dependency->latency() ? Json::Value(seconds_of(*dependency->latency())) : Json::Value();
  json["last_error"] = Json::Value();
  if (!dependency->last_error().ok()) {
    json["last_error"] = Json::Value(Json::objectValue);
    json["last_error"]["text"] = one_line(dependency->last_error().detail());
    json["last_error"]["seconds_ago"] = seconds_of(now - dependency->failed_at());
  }
  return json;
}

Json::Value describe(const TenantLimits& limits) {
  Json::Value json(Json::objectValue);
  for (const auto& [name, value] : values_of(limits)) json[std::string(name)] = number(value);
  return json;
}

Json::Value describe(const config::GrpcListener& grpc) {
  Json::Value json(Json::objectValue);
  json["connections_max"] = number(static_cast<uint64_t>(grpc.connections_max));
  json["connections_per_ip_max"] = number(static_cast<uint64_t>(grpc.connections_per_address_max));
  json["concurrent_streams_max"] = number(static_cast<uint64_t>(grpc.concurrent_streams_max));
  json["request_bytes_max"] = number(static_cast<uint64_t>(grpc.request_bytes_max));
  return json;
}

Json::Value describe(RunningTenant& tenant) {
  const replica::Replica& replica = tenant.replica();
  Json::Value json(Json::objectValue);
  json["name"] = tenant.name();
  json["role"] = role_of(replica);
  json["revision"] = number(replica.applied_revision().value);
  json["lag_batches"] = number(replica.lag());
  json["linearizable"] = replica.serves_linearizable();
  return json;
}

Json::Value describe(const replica::Member& member) {
  Json::Value json(Json::objectValue);
  json["name"] = member.node.name;
  json["address"] = member.node.address;
  json["client_urls"] = Json::Value(Json::arrayValue);
  for (const std::string& url : member.node.client_urls) json["client_urls"].append(url);
  json["leads"] = member.leads;
  json["self"] = member.self;
  return json;
}

}  // namespace

void StatusReport::write(bool whole, absl::AnyInvocable<void(std::string)> done) const {
  Json::Value json(Json::objectValue);
  json["version"] = std::string(telemetry::lattice_version());
  json["etcd_version"] = std::string(etcd::etcd_version);
  json["uptime_seconds"] = seconds_of(uptime);
  json["role"] = stopping             ? "stopping"
                 : tenants == nullptr ? "starting"
                                      : role_of(tenants->default_tenant().replica());
  Json::Value& depended = json["dependencies"];
  dependencies.for_each([&depended, now = now](std::string_view name, const Dependency* each) {
    depended[std::string(name)] = describe(each, now);
  });
  if (control_plane != nullptr) {
    depended["control_plane"]["cache_state"] =
        std::string(control::name_of(control_plane->state()));
  }
  json["limits"]["process"] = describe(config.grpc);
  json["limits"]["tenant_default"] = describe(limits);
  if (!whole || tenants == nullptr) return done(to_text(json));
  json["tenants"] = Json::Value(Json::arrayValue);
  tenants->each_running(
      [&json](RunningTenant& tenant) { json["tenants"].append(describe(tenant)); });
  tenants->default_tenant().replica().members(
      [json = std::move(json),
       done = std::move(done)](const Result<std::vector<replica::Member>>& members) mutable {
        // Null: the database cannot say.
        json["nodes"] = members.ok() ? Json::Value(Json::arrayValue) : Json::Value();
        if (members.ok()) {
          for (const replica::Member& member : *members) json["nodes"].append(describe(member));
        }
        done(to_text(json));
      });
}

}  // namespace lattice::server
