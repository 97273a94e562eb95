// The load generator's command line.
// Thread: the loader's only thread.
#pragma once

#include "load/options.h"

namespace lattice::load {

// Exits with a message when the command line is wrong.
Options parse_options(int argc, char** argv);

const char* mode_name(Mode mode);

}  // namespace lattice::load
