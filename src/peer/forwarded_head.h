// What a node says of a client's request that it passes on, as one entry of the request's metadata
// (proto/lattice/peer/v1/forward.proto). It stands for the client's connection, which the node that
// serves the request never sees, so it is believed by its MAC only.
// Thread: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "peer/handshake.h"
#include "proxy/call.h"

namespace lattice::peer {

struct ForwardedHead {
  proxy::ForwardedFacts facts;
  std::string client;       // its address
  std::string server_name;  // as ServerStream has it
  std::optional<proxy::PeerCertificate> certificate;
};

struct SealedHead {
  uint64_t session = 0;
  uint64_t number = 0;
  Digest mac{};
  std::string request;
};

// For a request of that method, under the key of the session's client.
std::string seal_head(const ForwardedHead& head, std::string_view path, uint64_t session,
                      uint64_t number, FrameKey& key);
// nullopt: it is none.
std::optional<SealedHead> parse_sealed_head(std::string_view bytes);
// nullopt: it is not authentic, or makes no sense.
std::optional<ForwardedHead> open_head(const SealedHead& sealed, std::string_view path,
                                       FrameKey& key);

// How a session is named to the node that has opened it, and what that makes of it.
std::string encode_session(uint64_t id);
std::optional<uint64_t> decode_session(std::string_view bytes);

}  // namespace lattice::peer
