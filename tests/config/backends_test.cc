// [backends.NAME]: databases beside [backend].
#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config/load.h"
#include "config/print.h"

namespace lattice::config {
namespace {

Loaded load_text(const std::string& text, std::map<std::string, std::string> environment = {},
                 std::vector<Request::Flag> command_line = {}) {
  const std::string file = "backends_test.toml";
  std::ofstream(file) << text;
  Request request;
  request.file = file;
  request.environment = std::move(environment);
  request.environment["PASSWORD"] = "hunter2";
  request.command_line = std::move(command_line);
  return load(request);
}

TEST_CASE("further databases have names of their own") {
  const Loaded loaded = load_text(
      "[backends.hot]\nurl = \"postgresql://u:${PASSWORD}@db/l\"\npool_size = 3\n"
      "[backends.\"big.one\"]\nurl = \"postgres://db2/l\"\n");
  REQUIRE(loaded.ok());
  REQUIRE(loaded.config.backends.size() == 2);
  const Backend& hot = loaded.config.backends.at("hot");
  CHECK(hot.kind == BackendKind::postgresql);
  CHECK(hot.url == "postgresql://u:hunter2@db/l");
  CHECK(hot.pool_size == 3);
  CHECK(loaded.config.backends.at("big.one").pool_size == 1);
  CHECK(loaded.config.backend.kind == BackendKind::sqlite);
  const std::string shown = effective_toml(loaded.settings);
  CHECK(shown.find("[backends.hot]") != shown.npos);
  CHECK(shown.find("postgresql://u:********@db/l") != shown.npos);
  CHECK(shown.find("hunter2") == shown.npos);
  CHECK(shown.find("NAME") == shown.npos);
}

TEST_CASE("mistakes in them are told") {
  CHECK_FALSE(load_text("[backends.default]\nurl = \"postgresql://db/l\"\n").ok());
  CHECK_FALSE(load_text("[backends.x]\npool_size = 2\n").ok());
  CHECK_FALSE(load_text("[backends.x]\nurl = \"sqlite:///a/b\"\n").ok());
  const Loaded unknown = load_text("[backends.x]\nurl = \"postgresql://db/l\"\nsize = 2\n");
  REQUIRE(unknown.problems.size() == 1);
  CHECK(unknown.problems.front().message.find("pool_size, url") != std::string::npos);
  const Loaded no_section = load_text("[backends]\nurl = \"postgresql://db/l\"\n");
  CHECK_FALSE(no_section.ok());
}

TEST_CASE("where a URL leads to a pooler, the direct one is what is connected to") {
  const std::string in_file =
      "[backend]\nurl = \"postgresql://pooler/l\"\ndirect_url = \"postgres://u:hunter2@db/l\"\n"
      "[backends.b]\nurl = \"postgresql://pooler/m\"\ndirect_url = \"postgresql://db/m\"\n";
  const Loaded loaded = load_text(in_file);
  REQUIRE(loaded.ok());
  CHECK(loaded.config.backend.url == "postgres://u:hunter2@db/l");
  CHECK(loaded.config.backends.at("b").url == "postgresql://db/m");
  CHECK(effective_toml(loaded.settings).find("hunter2") == std::string::npos);

  // What a file says of one database is not true of another that was named where it counts more.
  const std::string other = "postgresql://other/l";
  CHECK(load_text(in_file, {{"LATTICE_DB_CONNECTION", other}}).config.backend.url == other);
  CHECK(load_text(in_file, {{"LATTICE_BACKEND_URL", other}}).config.backend.url == other);
  CHECK(load_text(in_file, {}, {{"--db-connection", "backend.url", other}}).config.backend.url ==
        other);
  const Loaded both = load_text(in_file, {{"LATTICE_DB_CONNECTION", other},
                                          {"LATTICE_BACKEND_DIRECT_URL", "postgresql://mine/l"}});
  CHECK(both.config.backend.url == "postgresql://mine/l");

  const Loaded bad = load_text(
      "[backend]\nurl = \"postgresql://pooler/l\"\ndirect_url = \"u:hunter2@db\"\n"
      "[backends.b]\nurl = \"postgresql://pooler/m\"\ndirect_url = \"sqlite:///m\"\n");
  REQUIRE(bad.problems.size() == 2);
  CHECK(bad.problems[0].key == "backend.direct_url");
  CHECK(bad.problems[1].key == "backends.b.direct_url");
  CHECK(bad.problems[0].message.find("hunter2") == std::string::npos);
  const Loaded alone = load_text("[backend]\ndirect_url = \"postgresql://db/l\"\n");
  REQUIRE(alone.problems.size() == 1);
  CHECK(alone.problems[0].message.find("needs a url") != std::string::npos);
}

}  // namespace
}  // namespace lattice::config
