#include <array>

#include "config/auth_options.h"
#include "config/last_options.h"
#include "config/link_options.h"
#include "config/option.h"
#include "config/tenant_options.h"

namespace lattice::config {
namespace {

constexpr int64_t day_ms = 86'400'000;
constexpr int64_t count_max = 4'294'967'295;

constexpr Option early_options[] = {
    {.key = "env",
     .kind = Kind::choice,
     .fallback = "development",
     .help = "production refuses plaintext off loopback and durability that can lose an "
             "acknowledged write.",
     .choices = "development|production"},

    {.key = "listeners.grpc.bind",
     .kind = Kind::address,
     .fallback = "127.0.0.1:2379",
     .help = "Address of the client port: etcd v3 gRPC and HTTP/1.1 together. Port 0 picks a free "
             "one."},
    {.key = "listeners.grpc.allow_plaintext",
     .kind = Kind::boolean,
     .fallback = "false",
     .help = "Serve without TLS on addresses other than loopback. Refused in production."},
    {.key = "listeners.grpc.tls_chain_path",
     .kind = Kind::text,
     .fallback = "",
     .help =
         "PEM file with the server's certificate chain: the port speaks TLS. Read again when it "
         "changes, as are the key and the authorities.",
     .example = "/etc/lattice/tls/server.crt"},
    {.key = "listeners.grpc.tls_key_path",
     .kind = Kind::text,
     .fallback = "",
     .help = "PEM file with the server's private key.",
     .example = "/etc/lattice/tls/server.key"},
    {.key = "listeners.grpc.client_ca_path",
     .kind = Kind::text,
     .fallback = "",
     .help = "PEM file with the authorities whose client certificates are accepted. With it, every "
             "request but /version and health needs one.",
     .example = "/etc/lattice/tls/ca.crt"},
    {.key = "listeners.grpc.min_tls_version",
     .kind = Kind::choice,
     .fallback = "1.2",
     .help = "Oldest TLS version that is accepted.",
     .choices = "1.2|1.3"},
    {.key = "listeners.grpc.max_connections",
     .kind = Kind::integer,
     .fallback = "10000",
     .help = "Most client connections at a time; further ones are closed at once.",
     .min = 1,
     .max = 1'000'000},
    {.key = "listeners.grpc.max_connections_per_ip",
     .kind = Kind::integer,
     .fallback = "0",
     .help = "The same for each client address (of IPv6 for each /64 network). 0: no limit; behind "
             "a balancer all clients may have one address.",
     .min = 0,
     .max = 1'000'000},
    {.key = "listeners.grpc.idle_timeout_ms",
     .kind = Kind::integer,
     .fallback = "300000",
     .help =
         "Close connections that had no open stream for so long. 0: never. A connection with an "
         "open stream is never closed for idleness.",
     .min = 0,
     .max = day_ms},
    {.key = "listeners.grpc.max_connection_age_ms",
     .kind = Kind::integer,
     .fallback = "0",
     .help = "Ask clients to connect anew after about so long (a tenth more or less), so that a "
             "balancer can send them elsewhere: to replicas that were added, say. 0: never.",
     .min = 0,
     .max = day_ms},
    {.key = "listeners.grpc.max_connection_age_grace_ms",
     .kind = Kind::integer,
     .fallback = "30000",
     .help = "How long after that requests may still run on the old connection before it is "
             "closed. Watches end then, and their clients resume them on the new one.",
     .min = 0,
     .max = day_ms},
    {.key = "listeners.grpc.max_request_bytes",
     .kind = Kind::integer,
     .fallback = "1572864",
     .help = "Largest request that may write, as etcd's --max-request-bytes. Messages are received "
             "up to 524288 bytes above it.",
     .min = 1024,
     .max = 1 << 30},
    {.key = "listeners.grpc.max_concurrent_streams",
     .kind = Kind::integer,
     .fallback = "4294967295",
     .help = "Most streams that one connection may have open, as etcd's --max-concurrent-streams.",
     .min = 1,
     .max = count_max},
    {.key = "listeners.grpc.keepalive_min_time_ms",
     .kind = Kind::integer,
     .fallback = "5000",
     .help = "Clients that ping more often than this are told to go, as etcd's "
             "--grpc-keepalive-min-time.",
     .min = 0,
     .max = day_ms},
    {.key = "listeners.grpc.keepalive_interval_ms",
     .kind = Kind::integer,
     .fallback = "7200000",
     .help = "How often the server pings a quiet client, as etcd's --grpc-keepalive-interval. 0: "
             "never.",
     .min = 0,
     .max = day_ms},
    {.key = "listeners.grpc.keepalive_timeout_ms",
     .kind = Kind::integer,
     .fallback = "20000",
     .help = "How long the answer to such a ping may take, as etcd's --grpc-keepalive-timeout.",
     .min = 1,
     .max = day_ms},
    {.key = "listeners.grpc.keepalive_permit_without_stream",
     .kind = Kind::boolean,
     .fallback = "false",
     .help = "Let clients ping while they have no stream open."},

    {.key = "backend.kind",
     .kind = Kind::choice,
     .fallback = "auto",
     .help = "Where the log is kept. auto: what the URL says, and SQLite without one. memory "
             "forgets everything at exit.",
     .choices = "auto|sqlite|postgresql|memory"},
    {.key = "backend.url",
     .kind = Kind::text,
     .fallback = "",
     .help = "postgresql://user@host/database, sqlite:///absolute/file or memory://. Empty: a "
             "SQLite file in paths.wal_dir. LATTICE_DB_CONNECTION and --db-connection set it too.",
     .secret = true,
     .example = "postgresql://lattice@127.0.0.1:5432/lattice"},
    {.key = "backend.direct_url",
     .kind = Kind::text,
     .fallback = "",
     .help =
         "The same PostgreSQL database past a transaction pooler, where url leads to one: all "
         "connections go there, for each needs a session of its own. A url from the environment "
         "or the command line puts one that is in a file out of force.",
     .secret = true,
     .example = "postgresql://lattice@127.0.0.1:5432/lattice"},
    {.key = "backend.pool_size",
     .kind = Kind::integer,
     .fallback = "4",
     .help = "PostgreSQL connections that carry writes, at most: opened as tenants are loaded. "
             "Tenants that share one wait for each other's commits.",
     .min = 1,
     .max = 100},
    {.key = "backends.NAME.url",
     .kind = Kind::text,
     .fallback = "",
     .help = "A further PostgreSQL database, which tenants can be created in and moved to. NAME is "
             "what manifests and lattice tenant call it; [backend] is called default. In a file "
             "only, and the same in all processes.",
     .secret = true,
     .example = "postgresql://lattice@127.0.0.2:5432/lattice"},
    {.key = "backends.NAME.direct_url",
     .kind = Kind::text,
     .fallback = "",
     .help = "As of [backend].",
     .secret = true},
    {.key = "backends.NAME.pool_size",
     .kind = Kind::integer,
     .fallback = "1",
     .help = "As of [backend].",
     .min = 1,
     .max = 100},

    {.key = "durability.mode",
     .kind = Kind::choice,
     .fallback = "sync",
     .help = "When a write is acknowledged. sync: once the database has flushed it. quorum: once "
             "quorum_size database nodes have. async: before the "
             "flush, so that a crash of the database's machine can lose acknowledged writes.",
     .choices = "sync|quorum|async"},
    {.key = "durability.quorum_size",
     .kind = Kind::integer,
     .fallback = "1",
     .help = "With mode quorum: database nodes that must have flushed a write, the primary "
             "counted. Checked against PostgreSQL's own settings; the embedded store is one node.",
     .min = 1,
     .max = 99},
    {.key = "durability.fsync_policy",
     .kind = Kind::choice,
     .fallback = "always",
     .help =
         "Of the embedded store: sync its file at every commit, at intervals, or never. All but "
         "always can lose acknowledged writes with the machine.",
     .choices = "always|interval|never"},

    {.key = "paths.data_dir",
     .kind = Kind::text,
     .fallback = "lattice.data",
     .help = "Folder of everything that this process keeps on disk. Made when it is missing."},
    {.key = "paths.wal_dir",
     .kind = Kind::text,
     .fallback = "",
     .help =
         "Folder of the embedded log database with its write-ahead log. Empty: data_dir. Unused "
         "on PostgreSQL."},
};

constexpr Option later_options[] = {
    {.key = "telemetry.enabled",
     .kind = Kind::boolean,
     .fallback = "true",
     .help =
         "Serve metrics and health on metrics_bind. /metrics on the client port is always there."},
    {.key = "telemetry.metrics_bind",
     .kind = Kind::address,
     .fallback = "127.0.0.1:9090",
     .help = "Address of the metrics port (plain HTTP). Port 0 picks a free one."},
    {.key = "telemetry.log_level",
     .kind = Kind::choice,
     .fallback = "info",
     .help = "Least severe level that is logged. LATTICE_LOG_LEVEL sets it too.",
     .choices = "error|warn|info|debug|trace",
     .reloadable = true},
    {.key = "telemetry.json_logs",
     .kind = Kind::boolean,
     .fallback = "false",
     .help = "Log JSON objects, one per line, instead of plain text."},
    {.key = "telemetry.slow_request_ms",
     .kind = Kind::integer,
     .fallback = "1000",
     .help = "Log requests that take longer, with where the time went. 0: none.",
     .min = 0,
     .max = day_ms},

    {.key = "compaction.auto_compaction_mode",
     .kind = Kind::choice,
     .fallback = "periodic",
     .help = "What auto_compaction_retention counts, as etcd's flag.",
     .choices = "periodic|revision"},
    {.key = "compaction.auto_compaction_retention",
     .kind = Kind::text,
     .fallback = "0",
     .help =
         "History to keep, as etcd's flag. periodic: hours, or a duration such as 30m or 1h30m; "
         "revision: a number of revisions. 0: no automatic compaction."},

    {.key = "server.threads",
     .kind = Kind::integer,
     .fallback = "auto",
     .help = "Event loops. auto: one for each usable core but one, at least one.",
     .min = 1,
     .max = 256,
     .auto_zero = true},
    {.key = "server.max_txn_ops",
     .kind = Kind::integer,
     .fallback = "128",
     .help = "Most operations of one transaction, as etcd's --max-txn-ops.",
     .min = 1,
     .max = 100'000},
    {.key = "server.watch_progress_interval_ms",
     .kind = Kind::integer,
     .fallback = "600000",
     .help = "How often quiet watches that asked for progress are told the revision, as etcd's "
             "--watch-progress-notify-interval.",
     .min = 100,
     .max = day_ms},
    {.key = "server.startup_timeout_ms",
     .kind = Kind::integer,
     .fallback = "60000",
     .help = "How long to wait for the database at the start; then exit with status 69.",
     .min = 0,
     .max = day_ms},
    {.key = "server.shutdown_delay_ms",
     .kind = Kind::integer,
     .fallback = "0",
     .help = "How long after SIGTERM connections and requests are still taken while /readyz is "
             "false already, for balancers to notice.",
     .min = 0,
     .max = day_ms},
    {.key = "server.shutdown_timeout_ms",
     .kind = Kind::integer,
     .fallback = "25000",
     .help = "How long running requests may take to finish after SIGTERM.",
     .min = 0,
     .max = day_ms},
};

template <size_t... Sizes>
constexpr auto joined(const Option (&... parts)[Sizes]) {
  std::array<Option, (Sizes + ...)> all{};
  size_t at = 0;
  const auto append = [&](std::span<const Option> part) {
    for (const Option& option : part) all[at++] = option;
  };
  (append(parts), ...);
  return all;
}

constexpr auto table =
    joined(early_options, tenant_options, later_options, link_options, auth_options, last_options);

}  // namespace

std::span<const Option> options() { return table; }

const Option* find_option(std::string_view key) {
  for (const Option& option : table) {
    if (option.key == key) return &option;
  }
  return nullptr;
}

}  // namespace lattice::config
