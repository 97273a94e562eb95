#include "cli/reload.h"

#include <string>

namespace lattice::cli {

std::optional<config::Config> Reload::run() {
  const config::Loaded loaded = config::load(request_);
  if (!loaded.ok()) {
    for (const config::Problem& problem : loaded.problems) {
      log_.error("configuration: " + config::to_text(problem));
    }
    log_.error("the configuration was not reloaded; the one in force stays");
    return std::nullopt;
  }
  const config::Changes changes = config::compare(settings_, loaded.settings);
  for (const std::string& key : changes.applied) {
    settings_[key] = loaded.settings.find(key)->second;
    log_.info("reloaded", {{"key", key}});
  }
  for (const std::string& key : changes.need_restart) {
    log_.warn("changed in the configuration, but needs a restart", {{"key", key}});
  }
  if (changes.applied.empty() && changes.need_restart.empty()) {
    log_.info("reloaded: nothing has changed");
  }
  if (const auto level = telemetry::parse_level(loaded.config.telemetry.log_level)) {
    log_.set_level(*level);
  }
  return loaded.config;
}

}  // namespace lattice::cli
