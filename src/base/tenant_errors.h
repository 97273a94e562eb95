// Why a request has no tenant. Thread: constants.
#pragma once

#include "base/status.h"

namespace lattice::errors {

inline constexpr Error tenant_unknown = static_cast<Error>(static_cast<uint8_t>(Error::io) + 100);
inline constexpr Error tenant_exists = static_cast<Error>(static_cast<uint8_t>(Error::io) + 101);

}  // namespace lattice::errors
