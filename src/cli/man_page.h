// lattice(1), written from the definitions of the commands.
// Thread: pure function.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace lattice::cli {

// In the man macros of roff.
std::string man_page(const CLI::App& app, std::string_view version);

}  // namespace lattice::cli
