// The parts behind Keyspace. Thread: the keyspace's.
#pragma once

#include "keyspace/compaction.h"
#include "keyspace/state.h"

namespace lattice::keyspace {

struct Keyspace::Impl {
  State state;
  Compaction compaction;
};

}  // namespace lattice::keyspace
