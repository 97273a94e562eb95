// Scripts with which shells complete `lattice ...`, written from the definitions of the commands.
// Thread: pure functions.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace lattice::cli {

// Requires: shell is bash, zsh or fish.
std::string completion_script(const CLI::App& app, std::string_view shell);

}  // namespace lattice::cli
