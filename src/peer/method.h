// The one method between nodes. Thread: constant.
#pragma once

#include <string_view>

namespace lattice::peer {

inline constexpr std::string_view connect_path = "/lattice.peer.v1.Peer/Connect";

}  // namespace lattice::peer
