#include "config/load.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "config/print.h"

namespace lattice::config {
namespace {

namespace fs = std::filesystem;

// A folder that is gone after the test.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "lattice-config-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return (path_ / name).string();
  }

 private:
  fs::path path_;
};

Loaded load_text(const std::string& toml, std::map<std::string, std::string> environment = {}) {
  const Folder folder;
  return load({folder.write("lattice.toml", toml), std::move(environment), {}});
}

Loaded load_environment(std::map<std::string, std::string> environment) {
  return load({std::nullopt, std::move(environment), {}});
}

std::string all_problems(const Loaded& loaded) {
  std::string out;
  for (const Problem& problem : loaded.problems) out += to_text(problem) + "\n";
  return out;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

TEST_CASE("without any source the defaults hold") {
  const Loaded loaded = load({});
  REQUIRE_MESSAGE(loaded.ok(), all_problems(loaded));
  const Config& config = loaded.config;
  CHECK(config.grpc.bind == "127.0.0.1:2379");
  CHECK(config.telemetry.metrics_bind == "127.0.0.1:9090");
  CHECK(config.backend.kind == BackendKind::sqlite);
  CHECK(config.backend.sqlite_file == "lattice.db");
  CHECK(config.paths.wal_dir == "lattice.data");
  CHECK(config.durability.mode == DurabilityMode::sync);
  CHECK(config.durability.fsync_policy == FsyncPolicy::always);
  CHECK(config.grpc.request_bytes_max == 1572864);
  CHECK(config.grpc.concurrent_streams_max == 4294967295u);
  CHECK(config.server.threads >= 1);
  CHECK(config.server.txn_ops_max == 128);
  CHECK(config.tenants.default_tenant == "default");
  CHECK(config.tenants.watch_idle_timeout.count() == 0);
  CHECK(config.compaction.mode == CompactionMode::off);
  CHECK(config.telemetry.slow_request == std::chrono::seconds(1));
  CHECK(loaded.warnings.empty());
}

TEST_CASE("a later source wins: file, local file, environment, command line") {
  const Folder folder;
  const std::string file =
      folder.write("any-name.toml",
                   "[server]\nmax_txn_ops = 1\n"
                   "startup_timeout_ms = 1\nshutdown_timeout_ms = 1\nthreads = 1\n");
  folder.write("lattice.local.toml",
               "[server]\nstartup_timeout_ms = 2\nshutdown_timeout_ms = 2\nthreads = 2\n");
  Request request{file,
                  {{"LATTICE_SERVER_SHUTDOWN_TIMEOUT_MS", "3"}, {"LATTICE_SERVER_THREADS", "3"}},
                  {{"--threads", "server.threads", "4"}}};
  const Loaded loaded = load(request);
  REQUIRE_MESSAGE(loaded.ok(), all_problems(loaded));
  CHECK(loaded.config.server.txn_ops_max == 1);
  CHECK(loaded.config.server.startup_timeout == std::chrono::milliseconds(2));
  CHECK(loaded.config.server.shutdown_timeout == std::chrono::milliseconds(3));
  CHECK(loaded.config.server.threads == 4);
  CHECK(contains(loaded.settings.at("server.max_txn_ops").origin, "any-name.toml:2"));
  CHECK(contains(loaded.settings.at("server.startup_timeout_ms").origin, "lattice.local.toml:2"));
  CHECK(loaded.settings.at("server.shutdown_timeout_ms").origin ==
        "LATTICE_SERVER_SHUTDOWN_TIMEOUT_MS");
  CHECK(loaded.settings.at("server.threads").origin == "--threads");
  CHECK(loaded.settings.at("env").origin == "default");
}

TEST_CASE("an unknown key names file, line, the key that was meant and those that are valid") {
  const Loaded loaded = load_text("[listeners.grpc]\nbind = \"127.0.0.1:1\"\nmax_conections = 5\n");
  REQUIRE(loaded.problems.size() == 1);
  const std::string text = to_text(loaded.problems[0]);
  CHECK(contains(text, "lattice.toml:3:"));
  CHECK(contains(text,
                 "listeners.grpc.max_conections: unknown key; did you mean \"max_connections\"?"));
  CHECK(contains(text, "idle_timeout_ms"));
}

TEST_CASE("an unknown section suggests the right one") {
  const std::string text = all_problems(load_text("[telemtry]\nenabled = true\n"));
  CHECK(contains(text, "lattice.toml:1:"));
  CHECK(contains(text, "telemtry: unknown section; did you mean \"telemetry\"?"));
}

TEST_CASE("a key in the place of a section is a mistake, not a crash") {
  CHECK(contains(all_problems(load_text("backend = 3\n")), "backend: unknown key"));
  CHECK(contains(all_problems(load_text("[backend.url]\nx = 1\n")),
                 "expected a string, got a section"));
  CHECK(contains(all_problems(load_text("[[backend]]\nurl = \"\"\n")), "backend: unknown key"));
}

TEST_CASE("wrong types say what was expected and what was there") {
  const std::string text =
      all_problems(load_text("[server]\n"
                             "max_txn_ops = \"many\"\n"
                             "startup_timeout_ms = 1.5\n"
                             "[telemetry]\n"
                             "enabled = 1\n"
                             "log_level = true\n"
                             "[cluster]\n"
                             "advertise_client_urls = [1]\n"));
  CHECK(contains(text, "max_txn_ops: expected an integer from 1 to 100000, got a string"));
  CHECK(
      contains(text, "startup_timeout_ms: expected an integer from 0 to 86400000, got a decimal"));
  CHECK(contains(text, "enabled: expected true or false, got an integer"));
  CHECK(contains(text, "log_level: expected one of \"error\", \"warn\""));
  CHECK(contains(text, "expected a list of strings, got an integer in it"));
}

TEST_CASE("values out of range are refused with the range") {
  const std::string text =
      all_problems(load_text("[server]\nmax_txn_ops = 0\nthreads = 257\n"
                             "[listeners.grpc]\nbind = \"nowhere\"\n"
                             "[durability]\nmode = \"perhaps\"\n"));
  CHECK(contains(
      text, "lattice.toml:2:15: server.max_txn_ops: expected an integer from 1 to 100000, got 0"));
  CHECK(contains(text, "server.threads: expected an integer from 1 to 256, or \"auto\", got 257"));
  CHECK(contains(text, "listeners.grpc.bind: expected an address such as"));
  CHECK(contains(text, "got \"perhaps\""));
}

TEST_CASE("all mistakes of all sources are reported at once") {
  const Folder folder;
  const std::string file = folder.write("lattice.toml", "colour = 1\n[server]\nmax_txn_ops = 0\n");
  folder.write("lattice.local.toml", "[server]\nthreads = -1\n");
  const Loaded loaded = load({file,
                              {{"LATTICE_TELEMETRY_ENABLED", "yes"}},
                              {{"--log-level", "telemetry.log_level", "loud"}}});
  CHECK(loaded.problems.size() == 5);
  const std::string text = all_problems(loaded);
  CHECK(contains(text, "LATTICE_TELEMETRY_ENABLED: telemetry.enabled: expected true or false"));
  CHECK(contains(text, "--log-level: telemetry.log_level: expected one of"));
}

TEST_CASE("text that is not TOML, and a file that is not there") {
  CHECK(contains(all_problems(load_text("[server\n")), "lattice.toml:1:"));
  CHECK(contains(all_problems(load_text("[server]\nthreads = 1\nthreads = 2\n")), "not TOML"));
  const Loaded loaded = load({"/nonexistent/lattice.toml", {}, {}});
  CHECK(contains(all_problems(loaded), "/nonexistent/lattice.toml: cannot read"));
  CHECK(contains(all_problems(load({"/tmp", {}, {}})), "cannot read"));
}

TEST_CASE("${NAME} is read from the environment, also for numbers, and must be there") {
  const std::string toml =
      "[telemetry]\nmetrics_bind = \"127.0.0.1:${PORT}\"\n"
      "[server]\nmax_txn_ops = \"${OPS}\"\n[cluster]\nname = \"$${plain} ${X}\"\n";
  Loaded loaded = load_text(toml, {{"PORT", "77"}, {"OPS", "9"}, {"X", ""}});
  REQUIRE_MESSAGE(loaded.ok(), all_problems(loaded));
  CHECK(loaded.config.telemetry.metrics_bind == "127.0.0.1:77");
  CHECK(loaded.config.server.txn_ops_max == 9);
  CHECK(loaded.config.cluster.name == "${plain} ");
  loaded = load_text(toml, {{"OPS", "x"}, {"X", ""}});
  CHECK(
      contains(all_problems(loaded),
               "lattice.toml:2:16: telemetry.metrics_bind: the environment has no variable PORT"));
  CHECK(contains(all_problems(loaded), "expected an integer from 1 to 100000, got \"x\""));
}

TEST_CASE("the short names work, and a contradiction names both") {
  Loaded loaded = load_environment({{"LATTICE_LOG_LEVEL", "debug"}, {"LATTICE_ENV", "production"}});
  REQUIRE_MESSAGE(loaded.ok(), all_problems(loaded));
  CHECK(loaded.config.telemetry.log_level == "debug");
  CHECK(loaded.config.environment == Environment::production);
  loaded =
      load_environment({{"LATTICE_LOG_LEVEL", "debug"}, {"LATTICE_TELEMETRY_LOG_LEVEL", "info"}});
  CHECK(
      contains(all_problems(loaded),
               "LATTICE_TELEMETRY_LOG_LEVEL: telemetry.log_level: contradicts LATTICE_LOG_LEVEL"));
}

TEST_CASE("unknown LATTICE_ variables warn and never stop the start") {
  const Loaded loaded = load_environment(
      {{"LATTICE_PORT", "tcp://10.0.0.1:2379"}, {"LATTICE_SERVER_THREAD", "3"}, {"OTHER", "x"}});
  CHECK(loaded.ok());
  REQUIRE(loaded.warnings.size() == 2);
  CHECK(contains(loaded.warnings[0], "LATTICE_PORT is not known"));
  CHECK(contains(loaded.warnings[1], "did you mean LATTICE_SERVER_THREADS?"));
}

TEST_CASE("a secret may stand in a file of its own") {
  const Folder folder;
  const std::string secret = folder.write("url", "postgresql://u:p@h/d\n");
  Loaded loaded = load_environment({{"LATTICE_DB_CONNECTION_FILE", secret}});
  REQUIRE_MESSAGE(loaded.ok(), all_problems(loaded));
  CHECK(loaded.config.backend.url == "postgresql://u:p@h/d");
  loaded = load_environment({{"LATTICE_BACKEND_URL_FILE", secret}});
  CHECK(loaded.config.backend.kind == BackendKind::postgresql);
  loaded = load_text("[backend]\nurl_file = \"" + secret + "\"\n");
  REQUIRE_MESSAGE(loaded.ok(), all_problems(loaded));
  CHECK(loaded.config.backend.url == "postgresql://u:p@h/d");
  loaded = load_text("[backend]\nurl = \"memory://\"\nurl_file = \"" + secret + "\"\n");
  CHECK(contains(all_problems(loaded), "given twice"));
  loaded = load_environment({{"LATTICE_BACKEND_URL_FILE", "/nonexistent"}});
  CHECK(contains(all_problems(loaded), "cannot read the file"));
  loaded = load_environment({{"LATTICE_PATHS_DATA_DIR_FILE", secret}});
  CHECK(loaded.ok());
  CHECK(loaded.warnings.size() == 1);
}

TEST_CASE("the kind of database follows from the connection") {
  const auto backend = [](std::string url) {
    const Loaded loaded = load({{}, {}, {{"--db-connection", "backend.url", std::move(url)}}});
    REQUIRE_MESSAGE(loaded.ok(), all_problems(loaded));
    return loaded.config.backend;
  };
  CHECK(backend("postgresql://h/d").kind == BackendKind::postgresql);
  CHECK(backend("postgres://h/d").kind == BackendKind::postgresql);
  CHECK(backend("memory://").kind == BackendKind::memory);
  CHECK(backend("sqlite://").sqlite_file == "lattice.db");
}

TEST_CASE("a SQLite URL names folder and file of the log") {
  const auto location = [](const std::string& url) {
    const Loaded loaded = load_environment({{"LATTICE_DB_CONNECTION", url}});
    REQUIRE_MESSAGE(loaded.ok(), all_problems(loaded));
    return loaded.config.paths.wal_dir + " " + loaded.config.backend.sqlite_file;
  };
  CHECK(location("sqlite:///var/x.db") == "/var x.db");
  CHECK(location("sqlite://a/b/x.db") == "a/b x.db");
  CHECK(location("sqlite://x.db") == "lattice.data x.db");
  CHECK(location("sqlite:///") == "lattice.data lattice.db");
  CHECK(contains(
      all_problems(load_text("[paths]\nwal_dir = \"/w\"\n[backend]\nurl = \"sqlite:///v/x\"\n")),
      "contradicts backend.url"));
}

TEST_CASE("a connection given later overrides the kind that a file names") {
  const Loaded loaded =
      load_text("[backend]\nkind = \"sqlite\"\n", {{"LATTICE_DB_CONNECTION", "postgresql://h/d"}});
  REQUIRE_MESSAGE(loaded.ok(), all_problems(loaded));
  CHECK(loaded.config.backend.kind == BackendKind::postgresql);
}

TEST_CASE("a kind that the URL contradicts, or that lacks one, is refused") {
  CHECK(contains(all_problems(load_text("[backend]\nkind = \"sqlite\"\nurl = \"memory://\"\n")),
                 "is \"sqlite\", but backend.url names memory"));
  CHECK(contains(all_problems(load_text("[backend]\nkind = \"postgresql\"\n")), "needs a URL"));
  const std::string text =
      all_problems(load_text("[backend]\nurl = \"mysql://root:hunter2@h/d\"\n"));
  CHECK(contains(text, "expected postgresql://"));
  CHECK_FALSE(contains(text, "hunter2"));
}

TEST_CASE("plaintext off loopback must be asked for, and never in production") {
  const std::string bind = "[listeners.grpc]\nbind = \"0.0.0.0:2379\"\n";
  CHECK(contains(all_problems(load_text(bind)), "allow_plaintext"));
  CHECK(load_text(bind + "allow_plaintext = true\n").ok());
  CHECK(contains(
      all_problems(load_text("env = \"production\"\n" + bind + "allow_plaintext = true\n")),
      "production refuses plaintext"));
  CHECK(load_text("[listeners.grpc]\nbind = \"[::1]:2379\"\n").ok());
  CHECK(load_text("[listeners.grpc]\nbind = \"localhost:2379\"\n").ok());
}

TEST_CASE("durability that can lose writes is said loudly, and refused in production") {
  const Loaded loaded = load_text("[durability]\nmode = \"async\"\n");
  CHECK(loaded.ok());
  CHECK(loaded.config.durability.mode == DurabilityMode::async);
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(contains(loaded.warnings[0], "can be lost"));
  CHECK(contains(all_problems(load_text("env = \"production\"\n[durability]\nmode = \"async\"\n")),
                 "production refuses async"));
  CHECK(contains(
      all_problems(load_text("env = \"production\"\n[durability]\nfsync_policy = \"never\"\n")),
      "production refuses all but"));
  CHECK(contains(all_problems(load_text("[backend]\nurl = \"postgresql://h/d\"\n"
                                        "[durability]\nfsync_policy = \"never\"\n")),
                 "use durability.mode"));
}

TEST_CASE("a quorum needs a database with several nodes") {
  const std::string quorum = "[durability]\nmode = \"quorum\"\nquorum_size = ";
  CHECK(load_text(quorum + "1\n").config.durability.mode == DurabilityMode::quorum);
  CHECK(contains(all_problems(load_text(quorum + "2\n")), "the embedded store is one node"));
  const Loaded loaded = load_text(quorum + "2\n[backend]\nurl = \"postgresql://h/d\"\n");
  REQUIRE_MESSAGE(loaded.ok(), all_problems(loaded));
  CHECK(loaded.config.durability.quorum_size == 2);
  CHECK(load_text("[durability]\nquorum_size = 3\n").config.durability.quorum_size == 1);
}

TEST_CASE("automatic compaction reads etcd's forms") {
  const auto compaction = [](const std::string& mode, const std::string& retention) {
    return load_text("[compaction]\nauto_compaction_mode = \"" + mode +
                     "\"\nauto_compaction_retention = \"" + retention + "\"\n");
  };
  CHECK(compaction("periodic", "0").config.compaction.mode == CompactionMode::off);
  CHECK(compaction("periodic", "8").config.compaction.period == std::chrono::hours(8));
  CHECK(compaction("periodic", "1h30m").config.compaction.period == std::chrono::minutes(90));
  CHECK(compaction("periodic", "250ms").config.compaction.period == std::chrono::milliseconds(250));
  CHECK(compaction("periodic", "1.5h").config.compaction.period == std::chrono::minutes(90));
  CHECK(compaction("revision", "1000").config.compaction.revisions == 1000);
  CHECK(compaction("revision", "0").config.compaction.mode == CompactionMode::off);
  for (const auto bad : {"", "h", "5x", "-1", "5m3", "1e400h", "99999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(compaction("periodic", bad).ok());
  }
  for (const auto bad : {"", "1h", "-1", "99999999999999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(compaction("revision", bad).ok());
  }
}

TEST_CASE("the two ports may not be the same, unless the system picks them") {
  CHECK(contains(all_problems(load_text("[telemetry]\nmetrics_bind = \"127.0.0.1:2379\"\n")),
                 "same address"));
  CHECK(
      load_text(
          "[listeners.grpc]\nbind = \"127.0.0.1:0\"\n[telemetry]\nmetrics_bind = \"127.0.0.1:0\"\n")
          .ok());
}

TEST_CASE("a folder for the log is unused on PostgreSQL, with a notice") {
  const Loaded loaded =
      load_text("[paths]\nwal_dir = \"/w\"\n[backend]\nurl = \"postgresql://h/d\"\n");
  CHECK(loaded.ok());
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(contains(loaded.warnings[0], "wal_dir is unused"));
  CHECK(load_text("[paths]\nwal_dir = \"/w\"\n").config.paths.wal_dir == "/w");
}

TEST_CASE("a reload knows what it can apply") {
  const Loaded before = load({});
  const Loaded after =
      load_environment({{"LATTICE_LOG_LEVEL", "debug"}, {"LATTICE_SERVER_MAX_TXN_OPS", "5"}});
  const Changes changes = compare(before.settings, after.settings);
  CHECK(changes.applied == std::vector<std::string>{"telemetry.log_level"});
  CHECK(changes.need_restart == std::vector<std::string>{"server.max_txn_ops"});
}

}  // namespace
}  // namespace lattice::config
