// The configuration for people: what is in force, and what there is to set.
// Thread: any; pure.
#pragma once

#include <string>

#include "config/load.h"

namespace lattice::config {

// As TOML, each line with a comment that says where the value came from; secrets masked.
std::string effective_toml(const Settings& settings);

// The text of config/lattice.toml: every key with its help, type and default.
std::string reference_toml();

// The text of docs/configuration.md.
std::string reference_markdown();

// A URL with its password replaced; any other secret wholly. Empty stays empty.
std::string masked(std::string_view secret);

}  // namespace lattice::config
