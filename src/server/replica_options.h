// What the configuration says of every replica.
// Thread: pure.
#pragma once

#include "config/config.h"
#include "replica/options.h"

namespace lattice::server {

replica::Options replica_options(const config::Config& config);

}  // namespace lattice::server
