// The command line: `lattice start`, `lattice config validate`, `lattice config reference`,
// `lattice certs init`, `lattice tenant ...`, `lattice token ...`, `lattice restore declare`,
// `lattice healthcheck`, `lattice status`, `lattice benchmark ...`,// `lattice completion ...`,
// `lattice man`, `lattice version`, each with --help.
//
// Thread: the caller's. Errors go to `err`, what a script reads to `out`.
#pragma once

#include <functional>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "config/load.h"
#include "load/benchmark.h"
#include "server/health_command.h"
#include "server/status_command.h"
#include "server/tenant_command.h"
#include "server/token_command.h"
#include "telemetry/logger.h"

namespace lattice::cli {

// Exit statuses beside 0; those of sysexits.h where it has one.
inline constexpr int exit_usage = 2;
inline constexpr int exit_internal = 70;
inline constexpr int exit_configuration = config::exit_status_bad_configuration;

struct Surroundings {
  std::map<std::string, std::string> environment;
  std::ostream& out;
  std::ostream& err;
  // Serves until it is told to stop; answers the exit status. `reload` is for SIGHUP.
  std::function<int(const config::Config& config, telemetry::Logger& log, config::Reload reload)>
      serve;
  // Does what `lattice tenant` is asked to; answers the exit status.
  std::function<int(const config::Config& config, const server::TenantCommand& command,
                    std::ostream& out, std::ostream& err)>
      tenant = {};
  // Likewise `lattice token`.
  std::function<int(const server::TokenCommand& command, std::ostream& out, std::ostream& err)>
      token = {};
  // Likewise `lattice restore declare`.
  std::function<int(const config::Config& config, const std::string& backend, std::ostream& out,
                    std::ostream& err)>
      restore = {};
  // Likewise `lattice healthcheck`.
  std::function<int(const server::HealthCommand& command, std::ostream& out, std::ostream& err)>
      health = {};
  // Likewise `lattice status`.
  std::function<int(const server::StatusCommand& command, std::ostream& out, std::ostream& err)>
      status = {};
  // Likewise `lattice benchmark`.
  std::function<int(const load::BenchmarkRequest& request, std::ostream& out, std::ostream& err)>
      benchmark = {};
};

// `arguments` without the program's name. Answers the exit status.
int run(std::vector<std::string> arguments, const Surroundings& surroundings);

}  // namespace lattice::cli
