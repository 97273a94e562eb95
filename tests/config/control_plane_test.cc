// [control_plane]: standalone, or a quorum.
#include <doctest/doctest.h>

#include "config/load.h"

namespace lattice::config {
namespace {

Loaded load_keys(const std::vector<std::pair<std::string, std::string>>& keys) {
  Request request;
  for (const auto& [name, value] : keys) {
    const std::string key = name == "env" ? name : "control_plane." + name;
    request.command_line.push_back({name, key, value});
  }
  return load(request);
}

std::string first_problem(const std::vector<std::pair<std::string, std::string>>& keys) {
  const Loaded loaded = load_keys(keys);
  REQUIRE_FALSE(loaded.ok());
  return to_text(loaded.problems.front());
}

TEST_CASE("nobody governs unless that is asked for") {
  const Loaded loaded = load_keys({});
  REQUIRE(loaded.ok());
  CHECK_FALSE(loaded.config.control_plane.clustor());
  CHECK(loaded.config.control_plane.cache_ttl == std::chrono::minutes(5));
  CHECK(loaded.config.control_plane.cache_grace == std::chrono::seconds(30));
  const Loaded unused = load_keys({{"endpoints", "http://127.0.0.1:2379"}});
  REQUIRE(unused.ok());
  CHECK_FALSE(unused.config.control_plane.clustor());
  REQUIRE(unused.warnings.size() == 1);
  CHECK(unused.warnings.front().find("control_plane.endpoints is unused") == 0);
}

TEST_CASE("the deployment guide's quorum") {
  const Loaded loaded =
      load_keys({{"mode", "clustor"},
                 {"endpoints", "https://cp1:2379,https://cp2:2379/,https://[::1]:1"},
                 {"cache_ttl_seconds", "20"},
                 {"cache_grace_ms", "0"},
                 {"ca_path", "/ca"},
                 {"cert_path", "/cert"},
                 {"key_path", "/key"},
                 {"env", "production"}});
  for (const Problem& problem : loaded.problems) FAIL_CHECK(to_text(problem));
  const ControlPlane& plane = loaded.config.control_plane;
  CHECK(plane.clustor());
  CHECK(plane.encrypted);
  CHECK(plane.endpoints == std::vector<std::string>{"cp1:2379", "cp2:2379", "[::1]:1"});
  CHECK(plane.cache_ttl == std::chrono::seconds(20));
  CHECK(plane.cache_grace == Duration{});
  CHECK(plane.tls.ca == "/ca");
  CHECK(plane.tls.chain == "/cert");
  CHECK(plane.tls.key == "/key");
}

TEST_CASE("what cannot govern") {
  CHECK(first_problem({{"mode", "clustor"}})
            .find("control_plane.mode: \"clustor\" needs control_plane.endpoints") !=
        std::string::npos);
  for (const char* bad : {"cp1:2379", "ftp://cp1:2379", "https://cp1", "https://cp1:0",
                          "https://cp1:2379/path", "https://:2379"}) {
    INFO(bad);
    CHECK(first_problem({{"mode", "clustor"}, {"endpoints", bad}}).find("expected URLs such as") !=
          std::string::npos);
  }
  CHECK(first_problem({{"mode", "clustor"}, {"endpoints", "https://a:1,http://127.0.0.1:2"}})
            .find("expected all http:// or all https://") != std::string::npos);
  CHECK(first_problem({{"mode", "clustor"}, {"endpoints", "http://a:1"}, {"env", "production"}})
            .find("production refuses http:// off loopback") != std::string::npos);
  CHECK(first_problem({{"mode", "clustor"}, {"endpoints", "https://a:1"}, {"cert_path", "/c"}})
            .find("control_plane.cert_path: needs control_plane.key_path") != std::string::npos);
  CHECK(first_problem({{"mode", "clustor"}, {"endpoints", "http://a:1"}, {"ca_path", "/c"}})
            .find("has no https://") != std::string::npos);
}

}  // namespace
}  // namespace lattice::config
