#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "config/load.h"
#include "config/option.h"
#include "config/print.h"

namespace lattice::config {
namespace {

std::string file_text(const std::string& name) {
  std::ostringstream out;
  out << std::ifstream(std::string(LATTICE_SOURCE_DIR) + "/" + name).rdbuf();
  return out.str();
}

TEST_CASE("keys and environment names are unique, defaults and examples are valid") {
  std::set<std::string> names;
  for (const Option& option : options()) {
    CAPTURE(option.key);
    CHECK(names.insert(environment_name(option.key)).second);
    const Parsed parsed = parse_text(option, option.fallback);
    REQUIRE(parsed.value);
    CHECK(check_value(option, *parsed.value).value);
    if (!option.example.empty()) CHECK(parse_text(option, option.example).value);
    CHECK(option.help.ends_with('.'));
    if (option.kind == Kind::integer) CHECK(option.min < option.max);
    CHECK((option.kind == Kind::choice) == !option.choices.empty());
    if (option.secret) CHECK(option.kind == Kind::text);
  }
}

TEST_CASE("sections are contiguous, so that the reference file opens each once") {
  std::set<std::string_view> seen;
  std::string_view current = "none";
  for (const Option& option : options()) {
    if (section_of(option.key) == current) continue;
    current = section_of(option.key);
    CHECK(seen.insert(current).second);
  }
}

TEST_CASE("every key of the deployment guide is known") {
  for (const auto key : {"control_plane.mode",
                         "control_plane.endpoints",
                         "control_plane.cache_ttl_seconds",
                         "control_plane.cache_grace_ms",
                         "listeners.grpc.bind",
                         "listeners.grpc.tls_chain_path",
                         "listeners.grpc.tls_key_path",
                         "listeners.grpc.client_ca_path",
                         "listeners.grpc.min_tls_version",
                         "listeners.grpc.max_connections",
                         "listeners.grpc.idle_timeout_ms",
                         "durability.mode",
                         "durability.quorum_size",
                         "durability.fsync_policy",
                         "paths.data_dir",
                         "paths.wal_dir",
                         "tenants.default_tenant",
                         "tenants.default_qps_limit",
                         "tenants.default_bytes_limit",
                         "tenants.lease_ttl_default_ms",
                         "tenants.lease_ttl_max_ms",
                         "tenants.watch_idle_timeout_ms",
                         "telemetry.enabled",
                         "telemetry.metrics_bind",
                         "telemetry.log_level",
                         "telemetry.json_logs"}) {
    CAPTURE(key);
    CHECK(find_option(key) != nullptr);
  }
}

TEST_CASE("config/lattice.toml is what the registry says: lattice config reference writes it") {
  CHECK(file_text("config/lattice.toml") == reference_toml());
  CHECK(file_text("docs/configuration.md") == reference_markdown());
}

TEST_CASE("the reference file has the defaults, and the deployment guide's limits") {
  const Loaded loaded = load({std::string(LATTICE_SOURCE_DIR) + "/config/lattice.toml", {}, {}});
  for (const Problem& problem : loaded.problems) FAIL_CHECK(to_text(problem));
  CHECK(loaded.warnings.empty());
  const Loaded defaults = load({});
  const Changes changes = compare(defaults.settings, loaded.settings);
  CHECK(changes.applied ==
        std::vector<std::string>{"tenants.default_qps_limit", "tenants.default_bytes_limit",
                                 "tenants.lease_ttl_default_ms", "tenants.lease_ttl_max_ms"});
  CHECK(changes.need_restart == std::vector<std::string>{"tenants.watch_idle_timeout_ms"});
}

TEST_CASE("the effective configuration reads back as the same one") {
  const Loaded loaded = load({std::nullopt,
                              {{"LATTICE_CLUSTER_NAME", "a\"b\\c\x01"}},
                              {{"--grpc-bind", "listeners.grpc.bind", "127.0.0.1:0"}}});
  const std::string text = effective_toml(loaded.settings);
  CHECK(text.find("bind = \"127.0.0.1:0\"  # --grpc-bind\n") != text.npos);
  CHECK(text.find("max_txn_ops = 128  # default\n") != text.npos);
  char name[] = "/tmp/lattice-effective-XXXXXX";
  const int fd = mkstemp(name);
  REQUIRE(fd >= 0);
  std::ofstream(name) << text;
  const Loaded again = load({name, {}, {}});
  for (const Problem& problem : again.problems) FAIL_CHECK(to_text(problem));
  CHECK(compare(loaded.settings, again.settings).need_restart.empty());
  std::remove(name);
}

TEST_CASE("secrets are masked when printed") {
  CHECK(masked("") == "");
  CHECK(masked("hunter2") == "********");
  CHECK(masked("postgresql://u:hunter2@h:5432/d") == "postgresql://u:********@h:5432/d");
  CHECK(masked("postgresql://u:hun@ter2@h/d?password=x") == "postgresql://u:********@h/d");
  CHECK(masked("postgresql://u@h:5432/d") == "postgresql://u@h:5432/d");
  CHECK(masked("postgresql:///d?host=/run") == "postgresql:///d");
  CHECK(masked("memory://") == "memory://");
  const Loaded loaded =
      load({std::nullopt, {{"LATTICE_DB_CONNECTION", "postgresql://u:hunter2@h/d"}}, {}});
  CHECK(effective_toml(loaded.settings).find("hunter2") == std::string::npos);
}

TEST_CASE("addresses") {
  CHECK(parse_address("127.0.0.1:2379")->port == 2379);
  CHECK(parse_address("[::1]:0")->host == "::1");
  CHECK(parse_address("host.example:65535")->host == "host.example");
  for (const auto bad : {"", ":1", "h", "h:", "h:65536", "h:-1", "h:1x", "::1:1", "[]:1", "[::1:1",
                         "a b:1", "http://h:1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_address(bad));
  }
}

}  // namespace
}  // namespace lattice::config
