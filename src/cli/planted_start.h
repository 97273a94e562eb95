// Plants the bug that LATTICE_PLANTED_BUG names; only a build with LATTICE_PLANTED_BUGS can. Its
// servers are for tests alone, and say so.
//
// Thread: the caller's, before there are others.
#pragma once

#include <iosfwd>
#include <map>
#include <string>

#include "telemetry/logger.h"

namespace lattice::cli {

inline constexpr const char* planted_variable = "LATTICE_PLANTED_BUG";

#ifdef LATTICE_PLANTED_BUGS

// Takes the variable out of the environment. False, and every bug's name on `err`, if there is no
// bug of that name.
bool plant_from(std::map<std::string, std::string>* environment, std::ostream& err);
void warn_of_planted(telemetry::Logger& log);

#else

inline bool plant_from(std::map<std::string, std::string>*, std::ostream&) { return true; }
inline void warn_of_planted(telemetry::Logger&) {}

#endif

}  // namespace lattice::cli
