#include "cli/cli.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <sstream>

#include "base/planted.h"

namespace lattice::cli {
namespace {

struct Outcome {
  int status = 0;
  std::string out;
  std::string err;
  std::optional<config::Config> served;
};

constexpr int served_status = 42;

Outcome invoke(std::vector<std::string> arguments,
               std::map<std::string, std::string> environment = {}) {
  Outcome outcome;
  std::ostringstream out;
  std::ostringstream err;
  const Surroundings surroundings{
      std::move(environment), out, err,
      [&](const config::Config& config, telemetry::Logger&, const std::function<void()>& reload) {
        outcome.served = config;
        CHECK(reload != nullptr);
        return served_status;
      }};
  outcome.status = run(std::move(arguments), surroundings);
  outcome.out = out.str();
  outcome.err = err.str();
  return outcome;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

TEST_CASE("start serves with the flags applied, and its status is the process's") {
  const Outcome outcome =
      invoke({"start", "--grpc-bind", "127.0.0.1:0", "--metrics-bind=127.0.0.1:1", "--data-dir",
              "/d", "--log-level", "error"});
  CHECK(outcome.status == served_status);
  REQUIRE(outcome.served);
  CHECK(outcome.served->grpc.bind == "127.0.0.1:0");
  CHECK(outcome.served->telemetry.metrics_bind == "127.0.0.1:1");
  CHECK(outcome.served->paths.data_dir == "/d");
  CHECK(outcome.served->paths.wal_dir == "/d");
  CHECK(outcome.served->telemetry.log_level == "error");
}

TEST_CASE("start reads a file, and the flags win over it and over the environment") {
  char name[] = "/tmp/lattice-cli-XXXXXX";
  const int fd = mkstemp(name);
  REQUIRE(fd >= 0);
  close(fd);
  std::ofstream(name) << "[paths]\ndata_dir = \"/file\"\n[cluster]\nname = \"n\"\n";
  const Outcome outcome = invoke(
      {"start", "--config", name, "--data-dir", "/flag", "--db-connection", "postgresql://h/d"},
      {{"LATTICE_PATHS_DATA_DIR", "/environment"}, {"LATTICE_DB_CONNECTION", "memory://"}});
  REQUIRE(outcome.served);
  CHECK(outcome.served->paths.data_dir == "/flag");
  CHECK(outcome.served->cluster.name == "n");
  CHECK(outcome.served->backend.kind == config::BackendKind::postgresql);
  unlink(name);
}

TEST_CASE("healthcheck asks where the configuration says that the server is") {
  std::vector<std::string> asked;
  std::ostringstream out;
  std::ostringstream err;
  const auto ask = [&](std::vector<std::string> arguments,
                       std::map<std::string, std::string> environment) {
    arguments.insert(arguments.begin(), "healthcheck");
    Surroundings surroundings{std::move(environment), out, err, {}};
    surroundings.health = [&](const server::HealthCommand& command, std::ostream&, std::ostream&) {
      asked.push_back(command.address + command.path);
      return 0;
    };
    return run(std::move(arguments), surroundings);
  };
  CHECK(ask({}, {}) == 0);
  CHECK(ask({}, {{"LATTICE_TELEMETRY_METRICS_BIND", "0.0.0.0:9191"}}) == 0);
  CHECK(ask({"--path", "/livez"}, {{"LATTICE_TELEMETRY_METRICS_BIND", "[::]:9191"}}) == 0);
  CHECK(ask({}, {{"LATTICE_TELEMETRY_ENABLED", "false"}}) == 0);
  CHECK(ask({"--endpoint", "h:1"}, {{"LATTICE_TELEMETRY_METRICS_BIND", "127.0.0.1:0"}}) == 0);
  CHECK(asked == std::vector<std::string>{"127.0.0.1:9090/readyz", "127.0.0.1:9191/readyz",
                                          "[::1]:9191/livez", "127.0.0.1:2379/readyz",
                                          "h:1/readyz"});
  // Nobody can be asked: unhealthy, never 2, which container engines reserve.
  CHECK(ask({}, {{"LATTICE_TELEMETRY_METRICS_BIND", "127.0.0.1:0"}}) == 1);
  CHECK(ask({"--config", "/nonexistent.toml"}, {}) == 1);
  CHECK(asked.size() == 5);
}

#ifdef LATTICE_PLANTED_BUGS
TEST_CASE("start plants the bug that the environment names, or says which there are") {
  const Outcome unknown = invoke({"start"}, {{"LATTICE_PLANTED_BUG", "no_such"}});
  CHECK(unknown.status == 78);
  CHECK_FALSE(unknown.served);
  CHECK(contains(unknown.err, "there is no bug \"no_such\""));
  CHECK(contains(unknown.err, "look_trusted  (P6: "));
  const Outcome known = invoke({"start"}, {{"LATTICE_PLANTED_BUG", "look_trusted"}});
  CHECK(known.status == served_status);
  CHECK(planted(Planted::look_trusted));
  plant(Planted::none);
}
#endif

TEST_CASE("a bad configuration stops the start with 78, names the flag, and serves nothing") {
  const Outcome outcome = invoke({"start", "--grpc-bind", "nowhere", "--log-level", "loud"});
  CHECK(outcome.status == 78);
  CHECK_FALSE(outcome.served);
  CHECK(contains(outcome.err, "error: --grpc-bind: listeners.grpc.bind: expected an address"));
  CHECK(contains(outcome.err, "error: --log-level: telemetry.log_level: expected one of"));
  CHECK(outcome.out.empty());
}

TEST_CASE("token commands reach the server with what they were told") {
  std::ostringstream out;
  std::ostringstream err;
  std::optional<server::TokenCommand> asked;
  const Surroundings surroundings{
      {}, out, err, {}, {}, [&](const server::TokenCommand& command, std::ostream&, std::ostream&) {
        asked = command;
        return served_status;
      }};
  const auto token = [&](std::vector<std::string> arguments) {
    asked.reset();
    arguments.insert(arguments.begin(), "token");
    return run(std::move(arguments), surroundings);
  };
  CHECK(token({"create", "ci", "--role", "build,deploy", "--read-only", "--comment", "x",
               "--expires", "1h30m", "--user", "root:pw", "--output", "json"}) == served_status);
  REQUIRE(asked);
  CHECK(asked->action == server::TokenCommand::Action::create);
  CHECK(asked->name == "ci");
  CHECK(asked->roles == std::vector<std::string>{"build", "deploy"});
  CHECK(asked->read_only);
  CHECK(asked->ttl_seconds == 5400);
  CHECK(asked->user == "root:pw");
  CHECK(asked->json);
  CHECK(token({"create", "ci"}) == served_status);
  REQUIRE(asked);
  CHECK(asked->ttl_seconds == 90 * 86'400);
  CHECK(asked->endpoint == "127.0.0.1:2379");
  CHECK(token({"create", "ci", "--expires", "never"}) == served_status);
  REQUIRE(asked);
  CHECK(asked->ttl_seconds == 0);
  CHECK(token({"revoke", "0123", "--endpoint", "https://a:1,https://b:1"}) == served_status);
  REQUIRE(asked);
  CHECK(asked->endpoint == "https://a:1");
  for (const auto* bad : {"90", "0d", "-1d", "1ms", "99999d", "x", ""}) {
    CHECK_MESSAGE(token({"create", "ci", "--expires", bad}) == 2, bad);
    CHECK_FALSE(asked);
  }
  CHECK(token({"create"}) == 2);
  CHECK(token({"list", "--user", "root:pw", "--token", "lat_x"}) == 2);
}

TEST_CASE("tenant commands reach the store with what they were told") {
  std::ostringstream out;
  std::ostringstream err;
  std::optional<server::TenantCommand> asked;
  const Surroundings surroundings{
      {},
      out,
      err,
      {},
      [&](const config::Config& config, const server::TenantCommand& command, std::ostream&,
          std::ostream&) {
        CHECK(config.paths.data_dir == "/d");
        asked = command;
        return served_status;
      }};
  const auto tenant = [&](std::vector<std::string> arguments) {
    asked.reset();
    arguments.insert(arguments.begin(), "tenant");
    arguments.insert(arguments.end(), {"--data-dir", "/d"});
    return run(std::move(arguments), surroundings);
  };
  CHECK(tenant({"create", "a", "keys_max=5", "quota_bytes=-1"}) == served_status);
  REQUIRE(asked);
  CHECK(asked->action == server::TenantCommand::Action::create);
  CHECK(asked->name == "a");
  CHECK(asked->limits.at("keys_max") == 5);
  CHECK(asked->limits.at("quota_bytes") == -1);
  CHECK(tenant({"limit", "a", "keys_max="}) == served_status);
  REQUIRE(asked);
  CHECK_FALSE(asked->limits.at("keys_max").has_value());
  CHECK(tenant({"list", "--output", "json"}) == served_status);
  REQUIRE(asked);
  CHECK(asked->json);
  CHECK(tenant({"remove", "a"}) == 2);
  CHECK_FALSE(asked);
  CHECK(tenant({"remove", "a", "--yes"}) == served_status);
  for (const auto* bad : {"keys_max", "=5", "keys_max=x", "keys_max=-2"}) {
    CHECK_MESSAGE(tenant({"limit", "a", bad}) == 2, bad);
    CHECK_FALSE(asked);
  }
  CHECK(tenant({"limit", "a"}) == 2);
  CHECK(tenant({"create", "a", "--backend", "b"}) == served_status);
  REQUIRE(asked);
  CHECK(asked->backend == "b");
  CHECK(tenant({"move", "a", "--to", "c", "--abort"}) == served_status);
  REQUIRE(asked);
  CHECK(asked->action == server::TenantCommand::Action::move);
  CHECK(asked->backend == "c");
  CHECK(asked->abort);
  CHECK(asked->nodes.empty());
  CHECK(tenant({"move", "a"}) == 2);
  CHECK(tenant({"move", "a", "--to-nodes", "n1,n2", "--leader", "n2"}) == served_status);
  REQUIRE(asked);
  CHECK(asked->nodes == std::vector<std::string>{"n1", "n2"});
  CHECK(asked->leader == "n2");
  CHECK(asked->wait);
  CHECK_FALSE(asked->dry_run);
  CHECK(tenant({"move", "a", "--to-nodes", "n1", "--no-wait", "--dry-run"}) == served_status);
  REQUIRE(asked);
  CHECK_FALSE(asked->wait);
  CHECK(asked->dry_run);
  for (const char* alone : {"--leader=n1", "--dry-run", "--no-wait", "--to-nodes=n1"}) {
    CHECK_MESSAGE(tenant({"move", "a", "--to", "b", alone}) == 2, alone);
  }
  CHECK(tenant({"move", "a", "--to-nodes", "n1", "--abort"}) == 2);
}

TEST_CASE("a restore is declared of the store that was named, and not by accident") {
  std::ostringstream out;
  std::ostringstream err;
  std::string asked;
  Surroundings surroundings{{}, out, err, {}};
  surroundings.restore = [&](const config::Config& config, const std::string& backend,
                             std::ostream&, std::ostream&) {
    asked = config.paths.data_dir + " " + backend;
    return served_status;
  };
  CHECK(run({"restore", "declare", "--data-dir", "/d"}, surroundings) == 2);
  CHECK(contains(err.str(), "--yes"));
  CHECK(asked.empty());
  CHECK(run({"restore", "declare", "--data-dir", "/d", "--yes"}, surroundings) == served_status);
  CHECK(asked == "/d ");
  CHECK(run({"restore", "declare", "--yes", "--backend", "b"}, surroundings) == served_status);
  CHECK(asked.ends_with(" b"));
  CHECK(run({"restore"}, surroundings) == 2);
  CHECK(run({"restore", "declare", "--yes", "--db-connection", "mysql://h/d"}, surroundings) ==
        exit_configuration);
}

TEST_CASE("an empty flag is a value, not an absent flag") {
  CHECK(contains(invoke({"start", "--data-dir", ""}).err, "--data-dir: paths.data_dir: expected"));
}

TEST_CASE("usage errors end with 2 and go to the error stream") {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"stat"},
                                             {"start", "--bind", "x"},
                                             {"config"},
                                             {"start", "extra"},
                                             {"config", "reference", "--format", "yaml"}}) {
    const Outcome outcome = invoke(arguments);
    CHECK(outcome.status == 2);
    CHECK_FALSE(outcome.err.empty());
    CHECK_FALSE(outcome.served);
  }
}

TEST_CASE("--help works everywhere and ends with 0") {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"--help"},
                                             {"start", "--help"},
                                             {"config", "--help"},
                                             {"config", "validate", "--help"},
                                             {"version", "--help"}}) {
    const Outcome outcome = invoke(arguments);
    CHECK(outcome.status == 0);
    CHECK(contains(outcome.out, "--help"));
    CHECK(outcome.err.empty());
  }
  CHECK(contains(invoke({"start", "--help"}).out, "--db-connection"));
}

TEST_CASE("validate says that all is well, or what is not") {
  CHECK(invoke({"config", "validate"}).status == 0);
  const Outcome missing = invoke({"config", "validate", "--config", "/nonexistent.toml"});
  CHECK(missing.status == 78);
  CHECK(contains(missing.err, "error: /nonexistent.toml: cannot read"));
  const Outcome warned = invoke({"config", "validate"}, {{"LATTICE_NOISE", "1"}});
  CHECK(warned.status == 0);
  CHECK(contains(warned.err, "warning: environment variable LATTICE_NOISE"));
}

TEST_CASE("validate --print shows values with their origin, secrets masked") {
  const Outcome outcome = invoke({"config", "validate", "--print"},
                                 {{"LATTICE_DB_CONNECTION", "postgresql://u:hunter2@h/d"}});
  CHECK(outcome.status == 0);
  CHECK(contains(outcome.out, "url = \"postgresql://u:********@h/d\"  # LATTICE_DB_CONNECTION"));
  CHECK(contains(outcome.out, "max_txn_ops = 128  # default"));
  CHECK_FALSE(contains(outcome.out, "hunter2"));
}

TEST_CASE("version, for people and for scripts") {
  CHECK(invoke({"version"}).out.starts_with("lattice 0."));
  CHECK(invoke({"--version"}).out.starts_with("lattice 0."));
  CHECK(invoke({"version", "--output", "json"}).out.starts_with("{\"version\":\"0."));
}

TEST_CASE("the reference is printed in both forms") {
  CHECK(contains(invoke({"config", "reference"}).out, "[listeners.grpc]\n"));
  CHECK(contains(invoke({"config", "reference", "--format", "markdown"}).out, "## [backend]"));
}

}  // namespace
}  // namespace lattice::cli
