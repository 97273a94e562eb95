// Answers to messages and back. Thread: pure functions.
#pragma once

#include "peer/codec_parts.h"
#include "replica/peers.h"

namespace lattice::peer {

void write_reply(const replica::PeerReply& reply, v1::Answer* to);
// What makes no sense comes out as the error `internal`.
replica::PeerReply read_reply(const v1::Answer& from);

}  // namespace lattice::peer
