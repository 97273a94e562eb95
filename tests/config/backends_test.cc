// [backends.NAME]: databases beside [backend].
#include <doctest/doctest.h>

#include <fstream>

#include "config/load.h"
#include "config/print.h"

namespace lattice::config {
namespace {

Loaded load_text(const std::string& text) {
  const std::string file = "backends_test.toml";
  std::ofstream(file) << text;
  Request request;
  request.file = file;
  request.environment = {{"PASSWORD", "hunter2"}};
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

}  // namespace
}  // namespace lattice::config
