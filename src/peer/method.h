// The methods between nodes. Thread: constant.
#pragma once

#include <string_view>

namespace lattice::peer {

// Calls from replica to replica.
inline constexpr std::string_view connect_path = "/lattice.peer.v1.Peer/Connect";
// Opens a session for clients' requests that are passed on (proto/lattice/peer/v1/forward.proto).
inline constexpr std::string_view forward_path = "/lattice.peer.v1.Peer/Forward";
// What such a request carries in its metadata.
inline constexpr std::string_view forwarded_header = "lattice-forwarded-bin";
// And its answer's trailers, if the node has done nothing for it: another one may be asked.
inline constexpr std::string_view unserved_trailer = "lattice-unserved";

}  // namespace lattice::peer
