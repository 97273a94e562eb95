#include "server/status_command.h"

#include <json/reader.h>
#include <json/value.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <ostream>
#include <vector>

#include "server/exit_status.h"
#include "server/http_get.h"

namespace lattice::server {
namespace {

constexpr Duration status_patience = std::chrono::seconds(10);

using Row = std::vector<std::string>;

// Columns as wide as their widest cell, two spaces between them.
void print_table(const std::vector<Row>& rows, std::ostream& out) {
  std::vector<size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i] + std::string(i + 1 < row.size() ? widths[i] - row[i].size() + 2 : 0, ' ');
    }
    out << line << "\n";
  }
  out << "\n";
}

std::string text_of(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

// 4.2 s, 12 min, 3.5 h, 9.1 d
std::string time_of(double seconds) {
  if (seconds < 120) return text_of("%.1f s", seconds);
  if (seconds < 7200) return text_of("%.0f min", seconds / 60);
  return seconds < 172'800 ? text_of("%.1f h", seconds / 3600)
                           : text_of("%.1f d", seconds / 86'400);
}

std::string yes(const Json::Value& flag) { return flag.asBool() ? "yes" : "no"; }

std::vector<Row> dependencies(const Json::Value& json) {
  std::vector<Row> rows = {{"DEPENDENCY", "BREAKER", "LATENCY", "LAST ERROR"}};
  for (const std::string& name : json.getMemberNames()) {
    const Json::Value& each = json[name];
    if (!each["configured"].asBool()) {
      rows.push_back({name, "-", "-", "not configured"});
      continue;
    }
    const Json::Value& latency = each["latency_seconds"];
    const Json::Value& error = each["last_error"];
    rows.push_back({name, each["breaker"].asString(),
                    latency.isNull() ? "-" : text_of("%.1f ms", latency.asDouble() * 1000),
                    error.isNull() ? "-"
                                   : time_of(error["seconds_ago"].asDouble()) +
                                         " ago: " + error["text"].asString()});
    if (each.isMember("cache_state")) rows.back()[1] += ", cache " + each["cache_state"].asString();
  }
  return rows;
}

std::vector<Row> nodes(const Json::Value& json) {
  std::vector<Row> rows = {{"NODE", "ADDRESS", "CLIENTS", "LEADS", "THIS"}};
  for (const Json::Value& node : json) {
    std::string urls;
    for (const Json::Value& url : node["client_urls"]) {
      urls += (urls.empty() ? "" : ",") + url.asString();
    }
    const std::string address = node["address"].asString();
    rows.push_back({node["name"].asString(), address.empty() ? "-" : address, urls,
                    yes(node["leads"]), yes(node["self"])});
  }
  return rows;
}

std::vector<Row> tenants(const Json::Value& json) {
  std::vector<Row> rows = {{"TENANT", "ROLE", "REVISION", "LAG", "LINEARIZABLE READS"}};
  for (const Json::Value& tenant : json) {
    rows.push_back({tenant["name"].asString(), tenant["role"].asString(),
                    std::to_string(tenant["revision"].asInt64()),
                    std::to_string(tenant["lag_batches"].asUInt64()), yes(tenant["linearizable"])});
  }
  return rows;
}

void print(const Json::Value& json, std::ostream& out) {
  out << "lattice " << json["version"].asString() << " (etcd " << json["etcd_version"].asString()
      << "), " << json["role"].asString() << ", up " << time_of(json["uptime_seconds"].asDouble())
      << "\n\n";
  print_table(dependencies(json["dependencies"]), out);
  if (json.isMember("nodes")) {
    json["nodes"].isNull() ? void(out << "nodes: the database cannot say\n\n")
                           : print_table(nodes(json["nodes"]), out);
  }
  if (json.isMember("tenants")) print_table(tenants(json["tenants"]), out);
  if (!json.isMember("tenants")) out << "The metrics port tells of nodes and tenants, too.\n";
}

}  // namespace

int run_status_command(const StatusCommand& command, std::ostream& out, std::ostream& err) {
  const Result<std::string> body =
      http_get({command.endpoint, command.tls, "/status", status_patience});
  if (!body.ok()) {
    err << "error: " << command.endpoint << ": " << body.status().detail() << "\n";
    return body.error() == Error::invalid_argument ? exit_configuration : exit_backend_unavailable;
  }
  if (command.json) {
    out << *body;
    return 0;
  }
  Json::Value json;
  std::string problem;
  const std::unique_ptr<Json::CharReader> reader(Json::CharReaderBuilder().newCharReader());
  if (!reader->parse(body->data(), body->data() + body->size(), &json, &problem) ||
      !json.isObject()) {
    err << "error: " << command.endpoint << ": that is no status\n";
    return exit_failure;
  }
  print(json, out);
  return 0;
}

}  // namespace lattice::server
