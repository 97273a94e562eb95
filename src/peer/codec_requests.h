// Calls to messages and back. Thread: pure functions.
#pragma once

#include "peer/codec_parts.h"
#include "replica/peers.h"

namespace lattice::peer {

void write_request(replica::PeerRequest request, v1::Call* to);
// Errors: those of DecodedCall::request. Takes the texts out of `from`.
Result<replica::PeerRequest> read_request(v1::Call* from);

}  // namespace lattice::peer
