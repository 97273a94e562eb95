#include "cli/planted_start.h"

#include <ostream>

#include "base/planted.h"

namespace lattice::cli {

bool plant_from(std::map<std::string, std::string>* environment, std::ostream& err) {
  const auto variable = environment->extract(planted_variable);
  if (variable.empty()) return true;
  if (const PlantedBug* bug = find_planted(variable.mapped())) {
    plant(bug->bug);
    return true;
  }
  err << "error: " << planted_variable << ": there is no bug \"" << variable.mapped()
      << "\"; there are:\n";
  for (const PlantedBug& bug : planted_bugs()) {
    err << "  " << bug.name << "  (" << bug.rule << ": " << bug.breaks << ")\n";
  }
  return false;
}

void warn_of_planted(telemetry::Logger& log) {
  log.error("THIS BUILD IS MADE TO BE BROKEN: never use it for anything but tests");
  for (const PlantedBug& bug : planted_bugs()) {
    if (!planted(bug.bug)) continue;
    log.error("A BUG IS PLANTED", {{"bug", bug.name}, {"rule", bug.rule}, {"breaks", bug.breaks}});
  }
}

}  // namespace lattice::cli
