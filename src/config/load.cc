#include "config/load.h"

#include <filesystem>

#include "config/layers.h"

namespace lattice::config {

Loaded load(const Request& request) {
  Loaded loaded;
  for (const Option& option : options()) {
    loaded.settings[std::string(option.key)] = {*parse_text(option, option.fallback).value,
                                                "default"};
  }
  const Lookup environment = [&](std::string_view name) -> std::optional<std::string> {
    const auto found = request.environment.find(std::string(name));
    if (found == request.environment.end()) return std::nullopt;
    return found->second;
  };
  if (request.file) {
    add_file(loaded, *request.file, false, environment);
    const auto folder = std::filesystem::path(*request.file).parent_path();
    add_file(loaded, (folder / "lattice.local.toml").string(), true, environment);
  }
  add_environment(loaded, request.environment);
  add_command_line(loaded, request.command_line);
  if (loaded.ok()) build(loaded);
  return loaded;
}

std::string to_text(const Problem& problem) {
  std::string out;
  if (!problem.where.empty()) out += problem.where + ": ";
  if (!problem.key.empty()) out += problem.key + ": ";
  return out + problem.message;
}

Changes compare(const Settings& before, const Settings& after) {
  Changes changes;
  for (const Option& option : options()) {
    const auto old_setting = before.find(option.key);
    const auto new_setting = after.find(option.key);
    if (old_setting == before.end() || new_setting == after.end()) continue;
    if (old_setting->second.value == new_setting->second.value) continue;
    (option.reloadable ? changes.applied : changes.need_restart).emplace_back(option.key);
  }
  return changes;
}

}  // namespace lattice::config
