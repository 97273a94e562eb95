#include "cli/reload.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

namespace lattice::cli {
namespace {

// A configuration file, a logger that keeps its lines, and a Reload over both.
class World {
 public:
  explicit World(const std::string& toml) {
    close(mkstemp(path_));
    write(toml);
    log_ = telemetry::Logger::to_function(
        {}, [this](std::string_view line) { lines_.emplace_back(line); });
    const config::Request request{path_, {}, {}};
    reload_ = std::make_unique<Reload>(request, config::load(request).settings, *log_);
  }
  ~World() { unlink(path_); }

  void write(const std::string& toml) { std::ofstream(path_) << toml; }
  std::optional<config::Config> reload() { return reload_->run(); }
  bool enabled(telemetry::Level level) const { return log_->enabled(level); }
  // Ends the logging.
  std::vector<std::string> lines() {
    reload_.reset();
    log_.reset();
    return lines_;
  }

 private:
  char path_[32] = "/tmp/lattice-reload-XXXXXX";
  std::vector<std::string> lines_;
  std::shared_ptr<telemetry::Logger> log_;
  std::unique_ptr<Reload> reload_;
};

size_t count(const std::vector<std::string>& lines, std::string_view part) {
  return static_cast<size_t>(std::ranges::count_if(
      lines, [&](const std::string& line) { return line.find(part) != line.npos; }));
}

TEST_CASE("a reload applies the log level and names what needs a restart") {
  World world("[telemetry]\nlog_level = \"info\"\n");
  world.write("[telemetry]\nlog_level = \"debug\"\n[server]\nmax_txn_ops = 5\n");
  world.reload();
  CHECK(world.enabled(telemetry::Level::debug));
  const auto lines = world.lines();
  CHECK(count(lines, "reloaded key=telemetry.log_level") == 1);
  CHECK(count(lines, "needs a restart key=server.max_txn_ops") == 1);
}

TEST_CASE("what needs a restart is named again each time, what was applied is not") {
  World world("");
  world.write("[telemetry]\nlog_level = \"debug\"\n[server]\nmax_txn_ops = 5\n");
  world.reload();
  world.reload();
  const auto lines = world.lines();
  CHECK(count(lines, "reloaded key=telemetry.log_level") == 1);
  CHECK(count(lines, "needs a restart") == 2);
}

TEST_CASE("a configuration with mistakes changes nothing") {
  World world("");
  world.write("[telemetry]\nlog_level = \"debug\"\ncolour = 1\n");
  world.reload();
  CHECK_FALSE(world.enabled(telemetry::Level::debug));
  const auto lines = world.lines();
  CHECK(count(lines, "telemetry.colour: unknown key") == 1);
  CHECK(count(lines, "was not reloaded") == 1);
}

TEST_CASE("a reload answers what is to be applied, and nothing if there are mistakes") {
  World world("");
  world.write("[tenants]\ndefault_qps_limit = 7\n");
  const auto config = world.reload();
  REQUIRE(config);
  CHECK(config->tenants.limits.requests_per_second == 7);
  world.write("[tenants]\ndefault_qps_limit = -7\n");
  CHECK_FALSE(world.reload());
}

TEST_CASE("a reload without changes says so") {
  World world("");
  world.reload();
  CHECK(count(world.lines(), "nothing has changed") == 1);
}

}  // namespace
}  // namespace lattice::cli
