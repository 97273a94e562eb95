// What one process was told to do: validated, complete, never changed after the start.
//
// Thread: any, read-only. Ownership: a plain value.
// Invariants: everything in it was checked by load(); no reader checks it again.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/tenant_limits.h"
#include "base/time.h"

namespace lattice::config {

enum class Environment : uint8_t { development, production };
enum class BackendKind : uint8_t { memory, sqlite, postgresql };
// When a write is acknowledged: flushed by the database, flushed by several of its nodes, or before
// that.
enum class DurabilityMode : uint8_t { sync, quorum, async };
// The embedded store only: sync at each commit, at intervals, or left to the operating system.
enum class FsyncPolicy : uint8_t { always, interval, never };
enum class CompactionMode : uint8_t { off, periodic, revision };

// Names of PEM files; chain and key are both there or both empty.
struct TlsFiles {
  std::string chain, key, ca;
  bool has_certificate() const { return !chain.empty(); }
};

// [listeners.grpc]: the client port.
struct GrpcListener {
  std::string bind;  // "host:port", "[v6]:port"; port 0 picks a free one
  int connections_max = 0;
  int connections_per_address_max = 0;  // 0: no limit
  Duration idle_timeout{};              // of connections without open streams; 0: never
  Duration connection_age_max{};        // then GOAWAY, so that clients connect anew; 0: never
  Duration connection_age_grace{};      // after that, before what still runs is cut off
  uint64_t request_bytes_max = 0;       // of one request, as etcd's --max-request-bytes
  uint32_t concurrent_streams_max = 0;
  Duration keepalive_min_time{};  // clients that ping more often are sent away
  Duration keepalive_interval{};  // 0: the server does not ping
  Duration keepalive_timeout{};
  bool keepalive_permit_without_stream = false;
  TlsFiles tls;  // without a chain: plaintext; with a CA clients need certificates
  bool tls_1_3_only = false;
};

// [backend]: where the log is.
struct Backend {
  BackendKind kind = BackendKind::sqlite;
  // libpq URI of what to connect to: direct_url where that is given. Empty unless kind is
  // postgresql. A secret: it may hold a password.
  std::string url;
  std::string sqlite_file;  // the log's file in paths.wal_dir; empty unless kind is sqlite
  int pool_size = 0;        // connections for appends
};

// What tenants, manifests and commands call [backend].
inline constexpr const char* default_backend = "default";

struct Durability {
  DurabilityMode mode = DurabilityMode::sync;
  int quorum_size = 1;  // database nodes, the primary counted; 1 unless mode is quorum
  FsyncPolicy fsync_policy = FsyncPolicy::always;
};

struct Paths {
  std::string data_dir;
  std::string wal_dir;  // of the embedded log; data_dir unless configured here or by backend.url
};

struct Tenants {
  std::string default_tenant;
  std::vector<std::string> create;  // made at the start when they are missing
  // Whose a request is (server/tenant_identity.h).
  bool trust_metadata = false;
  std::string spiffe_domain;
  std::string server_name_domain;  // in lower case
  // By a certificate's CN or alternative name: its tenants, "*" for every one.
  std::map<std::string, std::vector<std::string>> certificates;
  Duration idle_stop{};           // 0: never
  Duration watch_idle_timeout{};  // 0: never
  TenantLimits limits;            // of tenants that have none of their own
};

struct Telemetry {
  bool enabled = true;       // whether there is a metrics port
  std::string metrics_bind;  // as GrpcListener::bind
  std::string log_level;     // a name that telemetry::parse_level knows
  bool json_logs = false;
  Duration slow_request{};  // requests that take longer are logged; 0: never
};

// [compaction]: as etcd's --auto-compaction-mode and --auto-compaction-retention.
struct Compaction {
  CompactionMode mode = CompactionMode::off;
  Duration period{};      // mode periodic
  int64_t revisions = 0;  // mode revision
};

struct Server {
  int threads = 0;  // event loops; "auto" is resolved: one per usable core but one, at least one
  int txn_ops_max = 0;
  Duration watch_progress_interval{};
  Duration startup_timeout{};   // how long to wait for the database before giving up
  Duration shutdown_delay{};    // not ready, but serving: for balancers to notice
  Duration shutdown_timeout{};  // how long running requests may take to finish
};

struct Cluster {
  std::string name;                                // of this member, in MemberList
  std::vector<std::string> advertise_client_urls;  // empty: the bound address
  // What the other nodes call this one: cluster.name if that is set, else node_id. Empty: host name
  // and client port.
  std::string node_name;
  std::string bind;       // of the port between nodes; empty: there is none
  std::string advertise;  // "host:port", port 0 for the bound one; empty: the bound address
  std::vector<std::string> secrets;  // the one that signs first; empty: the database keeps one
  TlsFiles tls;                      // all three, or plaintext
};

struct Fanout {
  std::string url;  // empty: none. A secret: it may hold a password
  TlsFiles tls;     // for rediss://; each may be empty
};

// [control_plane]: who governs this process.
struct ControlPlane {
  // "host:port" of the quorum's members; empty in mode standalone, where the configuration governs.
  std::vector<std::string> endpoints;
  bool encrypted = false;  // the endpoints are https://
  TlsFiles tls;            // each may be empty
  Duration cache_ttl{};
  Duration cache_grace{};
  bool clustor() const { return !endpoints.empty(); }
};

// [auth]: as etcd's --auth-token, --auth-token-ttl and --bcrypt-cost.
struct Auth {
  std::string token;
  int64_t token_ttl_seconds = 0;
  int bcrypt_cost = 0;
};

// [audit]: the audit log.
struct Audit {
  std::string output;     // "stdout" or a file's absolute name; empty: off
  bool required = false;  // no change where it cannot be told
};

struct Config {
  Environment environment = Environment::development;
  GrpcListener grpc;
  Backend backend;
  // [backends.NAME]: further databases, by name; each is PostgreSQL.
  std::map<std::string, Backend> backends;
  Durability durability;
  Paths paths;
  Tenants tenants;
  Telemetry telemetry;
  Compaction compaction;
  Server server;
  Cluster cluster;
  Fanout fanout;
  Auth auth;
  ControlPlane control_plane;
  Audit audit;
};

}  // namespace lattice::config
