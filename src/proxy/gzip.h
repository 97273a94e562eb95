// gRPC's "gzip" message encoding.
// Thread: any (no state between calls).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/byte_chain.h"

namespace lattice::proxy {

enum class InflateOutcome : uint8_t { ok, corrupt, too_large };

struct Inflated {
  InflateOutcome outcome = InflateOutcome::ok;
  Bytes bytes;  // with `ok`
};

// Stops as soon as the output would exceed `bytes_max`: a bomb costs no more than an honest
// message.
Inflated gzip_inflate(const Bytes& compressed, size_t bytes_max);

// Nothing when it would not be smaller than the original.
std::optional<Bytes> gzip_deflate(const ByteChain& message);

}  // namespace lattice::proxy
