// What SIGHUP does: reads the configuration again, applies what can change at run time, and names
// what needs a restart. A configuration with mistakes changes nothing.
// Thread: one at a time; never two calls at once.
// Ownership: the logger must outlive it.
#pragma once

#include <optional>

#include "config/load.h"
#include "telemetry/logger.h"

namespace lattice::cli {

class Reload {
 public:
  // `settings`: those in force.
  Reload(config::Request request, config::Settings settings, telemetry::Logger& log)
      : request_(std::move(request)), settings_(std::move(settings)), log_(log) {}

  // Answers the new configuration, of which the caller applies its part; nothing if it has
  // mistakes.
  std::optional<config::Config> run();

 private:
  const config::Request request_;
  config::Settings settings_;  // those in force, as far as they can change
  telemetry::Logger& log_;
};

}  // namespace lattice::cli
