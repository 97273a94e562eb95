#include <sched.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>

#include "base/tenant_name.h"
#include "config/duration.h"
#include "config/layers.h"
#include "config/reader.h"

namespace lattice::config {
namespace {

constexpr const char* log_file_name = "lattice.db";

int usable_cores() {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
  return std::max(1, CPU_COUNT(&cores));
}

class Builder {
 public:
  explicit Builder(Loaded& loaded)
      : loaded_(loaded), config_(loaded.config), settings_(loaded.settings) {}

  void run() {
    config_.environment =
        settings_.text("env") == "production" ? Environment::production : Environment::development;
    build_listener();
    build_paths();
    build_backend();
    build_backends(loaded_);
    build_durability();
    build_tenants_and_telemetry();
    build_compaction();
    build_server();
    build_cluster();
    build_control_plane(loaded_);
    check_addresses();
  }

 private:
  void problem(std::string_view key, std::string message) {
    add_problem(loaded_, key, std::move(message));
  }
  bool is_default(std::string_view key) const {
    return loaded_.settings.find(key)->second.origin == "default";
  }

  TlsFiles tls_files(std::string_view chain, std::string_view key, std::string_view ca) {
    TlsFiles files{settings_.text(chain), settings_.text(key), settings_.text(ca)};
    if (files.chain.empty() != files.key.empty()) {
      const std::string_view given = files.chain.empty() ? key : chain;
      problem(given, "needs " + std::string(files.chain.empty() ? chain : key));
    }
    return files;
  }

  void build_listener() {
    GrpcListener& grpc = config_.grpc;
    grpc.bind = settings_.text("listeners.grpc.bind");
    grpc.connections_max = static_cast<int>(settings_.integer("listeners.grpc.max_connections"));
    grpc.connections_per_address_max =
        static_cast<int>(settings_.integer("listeners.grpc.max_connections_per_ip"));
    grpc.idle_timeout = settings_.milliseconds("listeners.grpc.idle_timeout_ms");
    grpc.connection_age_max = settings_.milliseconds("listeners.grpc.max_connection_age_ms");
    grpc.connection_age_grace =
        settings_.milliseconds("listeners.grpc.max_connection_age_grace_ms");
    grpc.request_bytes_max =
        static_cast<uint64_t>(settings_.integer("listeners.grpc.max_request_bytes"));
    grpc.concurrent_streams_max =
        static_cast<uint32_t>(settings_.integer("listeners.grpc.max_concurrent_streams"));
    grpc.keepalive_min_time = settings_.milliseconds("listeners.grpc.keepalive_min_time_ms");
    grpc.keepalive_interval = settings_.milliseconds("listeners.grpc.keepalive_interval_ms");
    grpc.keepalive_timeout = settings_.milliseconds("listeners.grpc.keepalive_timeout_ms");
    grpc.keepalive_permit_without_stream =
        settings_.flag("listeners.grpc.keepalive_permit_without_stream");
    grpc.tls = tls_files("listeners.grpc.tls_chain_path", "listeners.grpc.tls_key_path",
                         "listeners.grpc.client_ca_path");
    grpc.tls_1_3_only = settings_.text("listeners.grpc.min_tls_version") == "1.3";
    if (!grpc.tls.ca.empty() && !grpc.tls.has_certificate()) {
      problem("listeners.grpc.client_ca_path", "needs listeners.grpc.tls_chain_path");
    }
    if (is_loopback(grpc.bind)) return;
    const bool production = config_.environment == Environment::production;
    if (grpc.tls.has_certificate()) {
      if (production && grpc.tls.ca.empty()) {
        problem("listeners.grpc.client_ca_path", "production refuses clients without certificates");
      }
    } else if (production) {
      problem("listeners.grpc.bind",
              "production refuses plaintext off loopback; set listeners.grpc.tls_chain_path, "
              "tls_key_path and client_ca_path");
    } else if (!settings_.flag("listeners.grpc.allow_plaintext")) {
      problem("listeners.grpc.bind",
              "plaintext off loopback needs listeners.grpc.allow_plaintext = true");
    }
  }

  void build_paths() {
    config_.paths.data_dir = settings_.text("paths.data_dir");
    if (config_.paths.data_dir.empty()) problem("paths.data_dir", "expected the name of a folder");
    config_.paths.wal_dir = settings_.text("paths.wal_dir");
    if (config_.paths.wal_dir.empty()) config_.paths.wal_dir = config_.paths.data_dir;
  }

  void build_backend() {
    Backend& backend = config_.backend;
    backend.pool_size = static_cast<int>(settings_.integer("backend.pool_size"));
    const std::string url = settings_.text("backend.url");
    const std::string scheme = url.substr(0, url.find("://"));
    const bool is_postgresql = scheme == "postgresql" || scheme == "postgres";
    std::string by_url = is_postgresql ? "postgresql" : scheme;
    if (url.empty()) {
      by_url.clear();
    } else if (url.find("://") == url.npos ||
               (by_url != "postgresql" && by_url != "sqlite" && by_url != "memory")) {
      // Not echoed: a mistyped URL may hold a password.
      return problem("backend.url",
                     "expected postgresql://..., sqlite:///absolute/file or memory://");
    }
    std::string kind = settings_.text("backend.kind");
    if (kind == "auto") kind = by_url.empty() ? "sqlite" : by_url;
    if (!by_url.empty() && kind != by_url) {
      return problem("backend.kind", "is \"" + kind + "\", but backend.url names " + by_url);
    }
    if (kind == "postgresql") {
      backend.kind = BackendKind::postgresql;
      backend.url = url;
      if (url.empty()) problem("backend.url", "kind = \"postgresql\" needs a URL");
      if (!is_default("paths.wal_dir")) {
        loaded_.warnings.push_back("paths.wal_dir is unused on PostgreSQL");
      }
    } else if (kind == "memory") {
      backend.kind = BackendKind::memory;
      loaded_.warnings.push_back("the memory backend forgets everything when the process ends");
    } else {
      backend.kind = BackendKind::sqlite;
      locate_sqlite(url);
    }
    use_direct_url(loaded_, "backend.direct_url", settings_.text("backend.direct_url"), &backend);
  }

  // The file is lattice.db in wal_dir, unless the URL names another one.
  void locate_sqlite(const std::string& url) {
    constexpr std::string_view scheme = "sqlite://";
    const std::filesystem::path path = url.empty() ? "" : url.substr(scheme.size());
    config_.backend.sqlite_file = path.has_filename() ? path.filename().string() : log_file_name;
    if (!path.has_parent_path() || !path.has_filename()) return;
    if (!is_default("paths.wal_dir")) {
      problem("paths.wal_dir", "contradicts backend.url, which names a file elsewhere");
    }
    config_.paths.wal_dir = path.parent_path().string();
  }

  void build_durability() {
    const std::string mode = settings_.text("durability.mode");
    const std::string policy = settings_.text("durability.fsync_policy");
    Durability& durability = config_.durability;
    durability.mode = mode == "async"    ? DurabilityMode::async
                      : mode == "quorum" ? DurabilityMode::quorum
                                         : DurabilityMode::sync;
    if (durability.mode == DurabilityMode::quorum) {
      durability.quorum_size = static_cast<int>(settings_.integer("durability.quorum_size"));
      if (durability.quorum_size > 1 && config_.backend.kind != BackendKind::postgresql) {
        problem("durability.quorum_size", "the embedded store is one node: only 1 is possible");
      }
    }
    durability.fsync_policy = policy == "always"     ? FsyncPolicy::always
                              : policy == "interval" ? FsyncPolicy::interval
                                                     : FsyncPolicy::never;
    const bool weak_policy = durability.fsync_policy != FsyncPolicy::always;
    const bool production = config_.environment == Environment::production;
    if (durability.mode == DurabilityMode::async) {
      if (production) problem("durability.mode", "production refuses async");
      loaded_.warnings.push_back(
          "durability.mode = \"async\": acknowledged writes can be lost with the machine");
    }
    if (!weak_policy) return;
    if (config_.backend.kind == BackendKind::postgresql) {
      problem("durability.fsync_policy",
              "is of the embedded store; on PostgreSQL use durability.mode");
    } else if (production) {
      problem("durability.fsync_policy", "production refuses all but \"always\"");
    }
    loaded_.warnings.push_back("durability.fsync_policy = \"" + policy +
                               "\": acknowledged writes can be lost with the machine");
  }

  void build_tenants_and_telemetry() {
    build_tenants(config_.tenants);
    build_limits(loaded_);
    Telemetry& telemetry = config_.telemetry;
    telemetry.enabled = settings_.flag("telemetry.enabled");
    telemetry.metrics_bind = settings_.text("telemetry.metrics_bind");
    telemetry.log_level = settings_.text("telemetry.log_level");
    telemetry.json_logs = settings_.flag("telemetry.json_logs");
    telemetry.slow_request = settings_.milliseconds("telemetry.slow_request_ms");
  }

  void build_tenants(Tenants& tenants) {
    tenants.default_tenant = settings_.text("tenants.default_tenant");
    check_tenant("tenants.default_tenant", tenants.default_tenant);
    tenants.create = settings_.texts("tenants.create");
    for (const std::string& name : tenants.create) check_tenant("tenants.create", name);
    tenants.trust_metadata = settings_.flag("tenants.trust_metadata");
    tenants.spiffe_domain = settings_.text("tenants.spiffe_domain");
    tenants.server_name_domain = settings_.text("tenants.server_name_domain");
    for (char& c : tenants.server_name_domain) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    for (const std::string& entry : settings_.texts("tenants.certificates")) {
      add_certificate(tenants, entry);
    }
    tenants.idle_stop = settings_.milliseconds("tenants.idle_stop_ms");
    tenants.watch_idle_timeout = settings_.milliseconds("tenants.watch_idle_timeout_ms");
  }

  void check_tenant(std::string_view key, const std::string& name) {
    if (!is_tenant_name(name)) {
      problem(key, std::string(tenant_name_expectation) + ", got \"" + name + "\"");
    }
  }

  void add_certificate(Tenants& tenants, const std::string& entry) {
    constexpr std::string_view key = "tenants.certificates";
    const size_t equals = entry.rfind('=');
    if (equals == entry.npos || equals == 0 || equals + 1 == entry.size()) {
      return problem(key, "expected \"identity=tenant ...\", got \"" + entry + "\"");
    }
    std::vector<std::string>& names = tenants.certificates[entry.substr(0, equals)];
    std::istringstream list(entry.substr(equals + 1));
    for (std::string name; list >> name;) {
      if (name != "*") check_tenant(key, name);
      names.push_back(std::move(name));
    }
  }

  void build_compaction() {
    constexpr std::string_view key = "compaction.auto_compaction_retention";
    const std::string retention = settings_.text(key);
    Compaction& compaction = config_.compaction;
    if (settings_.text("compaction.auto_compaction_mode") == "revision") {
      const auto revisions = parse_count(retention);
      if (!revisions)
        return problem(key, "expected a number of revisions, got \"" + retention + "\"");
      compaction.revisions = *revisions;
      compaction.mode = *revisions > 0 ? CompactionMode::revision : CompactionMode::off;
      return;
    }
    const auto period = parse_retention(retention);
    if (!period) {
      return problem(key,
                     "expected hours, or a duration such as \"30m\", got \"" + retention + "\"");
    }
    compaction.period = *period;
    compaction.mode = period->count() > 0 ? CompactionMode::periodic : CompactionMode::off;
  }

  void build_server() {
    Server& server = config_.server;
    server.threads = static_cast<int>(settings_.integer("server.threads"));
    if (server.threads == 0) server.threads = std::max(1, usable_cores() - 1);
    server.txn_ops_max = static_cast<int>(settings_.integer("server.max_txn_ops"));
    server.watch_progress_interval = settings_.milliseconds("server.watch_progress_interval_ms");
    server.startup_timeout = settings_.milliseconds("server.startup_timeout_ms");
    server.shutdown_delay = settings_.milliseconds("server.shutdown_delay_ms");
    server.shutdown_timeout = settings_.milliseconds("server.shutdown_timeout_ms");
  }

  void build_cluster() {
    Cluster& cluster = config_.cluster;
    cluster.name = settings_.text("cluster.name");
    cluster.node_name =
        is_default("cluster.name") ? settings_.text("cluster.node_id") : cluster.name;
    build_node_port();
    for (const auto* key : {"cluster.secret", "cluster.previous_secret"}) {
      if (const std::string secret = settings_.text(key); !secret.empty()) {
        cluster.secrets.push_back(secret);
      }
    }
    if (cluster.secrets.size() == 1 && settings_.text("cluster.secret").empty()) {
      problem("cluster.previous_secret", "needs cluster.secret, which replaces it");
    }
    config_.fanout.url = settings_.text("fanout.url");
    config_.auth = {settings_.text("auth.token"), settings_.integer("auth.token_ttl_seconds"),
                    static_cast<int>(settings_.integer("auth.bcrypt_cost"))};
    build_audit();
    config_.fanout.tls = tls_files("fanout.cert_path", "fanout.key_path", "fanout.ca_path");
    config_.cluster.advertise_client_urls = settings_.texts("cluster.advertise_client_urls");
    for (const std::string& url : config_.cluster.advertise_client_urls) {
      if (!url.starts_with("http://") && !url.starts_with("https://")) {
        problem("cluster.advertise_client_urls",
                "expected http:// or https:// URLs, got \"" + url + "\"");
      }
    }
  }

  void build_audit() {
    Audit& audit = config_.audit;
    audit = {settings_.text("audit.output"), settings_.flag("audit.required")};
    if (!audit.output.empty() && audit.output != "stdout" && !audit.output.starts_with('/')) {
      problem("audit.output",
              "expected stdout or the absolute name of a file, got \"" + audit.output + "\"");
    }
    if (audit.required && audit.output.empty()) {
      problem("audit.required", "needs audit.output");
    }
  }

  void build_node_port() {
    Cluster& cluster = config_.cluster;
    const bool shared =
        config_.backend.kind == BackendKind::postgresql || !config_.backends.empty();
    cluster.bind = settings_.text("cluster.bind");
    cluster.advertise = settings_.text("cluster.advertise");
    if (!cluster.bind.empty() && !parse_address(cluster.bind)) {
      problem("cluster.bind",
              "expected an address such as \"10.0.0.1:2380\", got \"" + cluster.bind + "\"");
    }
    if (!cluster.advertise.empty() && !parse_address(cluster.advertise)) {
      problem("cluster.advertise", "expected an address such as \"node1.example:2380\", got \"" +
                                       cluster.advertise + "\"");
    }
    if (!shared && !cluster.bind.empty()) {
      loaded_.warnings.push_back(
          "cluster.bind is unused: only nodes on PostgreSQL share a database");
    }
    if (!shared) {
      cluster.bind.clear();
    } else if (cluster.bind.empty()) {
      cluster.bind = config_.grpc.bind.substr(0, config_.grpc.bind.rfind(':')) + ":0";
    }
    cluster.tls = tls_files("cluster.tls_chain_path", "cluster.tls_key_path", "cluster.ca_path");
    if (cluster.tls.has_certificate() != !cluster.tls.ca.empty()) {
      problem("cluster.ca_path",
              "goes with cluster.tls_chain_path: nodes look at each other's "
              "certificates");
    }
    if (!cluster.bind.empty() && config_.environment == Environment::production &&
        !is_loopback(cluster.bind) && !cluster.tls.has_certificate()) {
      loaded_.warnings.push_back(
          "calls between nodes (cluster.bind) are not encrypted; set cluster.tls_chain_path, "
          "tls_key_path and ca_path");
    }
  }

  void check_addresses() {
    const auto grpc = parse_address(config_.grpc.bind);
    const auto metrics = parse_address(config_.telemetry.metrics_bind);
    if (config_.telemetry.enabled && grpc && metrics && grpc->port != 0 &&
        config_.grpc.bind == config_.telemetry.metrics_bind) {
      problem("telemetry.metrics_bind", "is the same address as listeners.grpc.bind");
    }
  }

  Loaded& loaded_;
  Config& config_;
  const Reader settings_;
};

}  // namespace

void build(Loaded& loaded) { Builder(loaded).run(); }

bool is_loopback(const std::string& text) {
  const auto address = parse_address(text);
  return address && (address->host == "localhost" || address->host == "::1" ||
                     address->host.starts_with("127."));
}

void add_problem(Loaded& loaded, std::string_view key, std::string message) {
  const std::string& origin = loaded.settings.find(key)->second.origin;
  loaded.problems.push_back(
      {origin == "default" ? "" : origin, std::string(key), std::move(message)});
}

}  // namespace lattice::config
