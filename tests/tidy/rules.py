"""What the tree allows: DESIGN's arrows, and where clocks, threads and libraries may be used."""

# Which of our folders a folder of src/ may include, itself and what is below it in its own name aside.
ARROWS = {
    "base": [],
    "keyspace": ["base"],
    "auth": ["base", "keyspace"],
    "lease": ["base"],
    "replica": ["base", "keyspace", "auth", "lease"],
    "backends/common": ["base", "replica", "loop"],
    "backends/memory": ["base", "replica"],
    "backends/sqlite": ["base", "replica", "backends/common"],
    "backends/redis": ["base", "replica", "backends/common", "loop", "tls"],
    "backends/postgres": ["base", "replica", "backends/common", "loop"],
    "loop": ["base"],
    "tls": ["base"],
    "proxy": ["base", "loop", "tls"],
    "peer": ["base", "keyspace", "auth", "lease", "replica", "loop", "tls", "proxy", "proto"],
    "control": ["base", "loop", "tls", "proxy", "proto"],
    "telemetry": ["base"],
    "credentials": ["base", "auth"],
    "etcd": ["base", "keyspace", "auth", "lease", "replica", "credentials", "proto", "telemetry", "proxy"],
    "config": ["base"],
    "load": ["base"],
    "server": ["base", "keyspace", "auth", "lease", "replica", "credentials", "backends/common", "backends/memory",
               "backends/sqlite", "backends/postgres", "backends/redis", "loop", "tls", "proxy", "peer", "proto", "control",
               "etcd", "telemetry", "config"],
    "cli": ["base", "tls", "config", "telemetry", "load", "server"],
}

# The services see the transport's stream interface, not its connections.
ETCD_MAY_SEE_OF_PROXY = ["proxy/call.h", "proxy/router.h"]

# Where each library's headers may be included; the first entry whose prefix fits counts.
LIBRARIES = [
    ("event2/", ["loop", "load"]),
    ("nghttp2/", ["proxy", "load"]),
    ("zlib.h", ["proxy"]),
    ("openssl/", ["base", "etcd", "tls", "credentials", "load"]),
    ("crypt.h", ["credentials"]),
    ("sqlite3.h", ["backends/sqlite"]),
    ("libpq-fe.h", ["backends/postgres"]),
    ("libpq/", ["backends/postgres"]),
    ("google/protobuf/", ["etcd", "peer"]),
    ("toml++/", ["config"]),
    ("CLI/", ["cli"]),
    ("spdlog/", ["telemetry"]),
    ("fmt/", ["telemetry"]),
    ("prometheus/", ["telemetry"]),
    ("json/", ["etcd", "server", "credentials", "control"]),
    ("hiredis/", ["backends/redis"]),
    ("jemalloc/", ["telemetry", "server"]),
    ("doctest/", []),
]

# Folders without I/O, clock, threads and randomness, and what gives them away.
PURE = ["keyspace", "auth", "lease"]
PURE_HEADERS = ["thread", "mutex", "condition_variable", "future", "atomic", "random", "fstream", "iostream", "filesystem",
                "ctime", "time.h", "unistd.h", "fcntl.h", "sys/", "netinet/", "poll.h", "pthread.h"]

# The rest: a clock or a lock only where it belongs. Pattern, what it is, folders that may use it.
PLACES = [
    (r"\bsystem_clock\b|\bgettimeofday\s*\(|\bCLOCK_REALTIME\b|[^_\w.>]time\s*\(\s*(?:nullptr|NULL|0|&)", "wall clock",
     # For people only: log lines, the Date header, when a batch was written.
     ["telemetry", "proxy", "backends/sqlite"] +
     # Tokens end at a time that every node and every issuer of JWTs agrees on.
     ["src/credentials/wall_clock.cc"] +
     # For a bug that can be planted.
     ["src/server/loop_environment.cc"]),
    (r"\bsteady_clock\b|\bclock_gettime\s*\(", "clock", ["loop", "backends/sqlite", "load"]),
    (r"\bs?rand\s*\(|\brandom_device\b|\bmt19937|\bdrand48\b", "pseudo-random numbers", ["load"]),
    (r"\bsleep_for\b|\bsleep_until\b|\bu?sleep\s*\(|\bnanosleep\s*\(", "sleep", []),
    (r"#include <(?:thread|mutex|shared_mutex|condition_variable|future)>", "threads and locks",
     ["base", "loop", "telemetry", "backends/sqlite", "backends/postgres", "server"]),
    (r"\bstd::views\b|\branges::views\b|\bviews::", "std::views, which clang's tools cannot compile", []),
    # Running out of memory is allowed to end the process, as it does in every allocation.
    (r"\bthrow\b(?!\s+std::bad_alloc)\s*[\w(;]|\btry\s*\{", "exceptions", ["cli"]),
]

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100
