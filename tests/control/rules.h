// The rules that the tests' documents are checked against. Thread: constant.
#pragma once

#include "control/documents.h"

namespace lattice::control::testing {

inline constexpr LimitRange ranges[] = {{"keys_max", 0, 1000}, {"quota_bytes", -1, 1 << 20}};

inline Rules rules() { return {ranges, "default"}; }

}  // namespace lattice::control::testing
