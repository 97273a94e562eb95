// What machines send instead of a login: 256 random bits behind a prefix by which people and
// scanners for secrets know them. Only the hash is ever kept (docs/decisions/0014).
// Thread: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace lattice::credentials {

inline constexpr std::string_view api_token_prefix = "lat_";

using ApiTokenBits = std::array<uint8_t, 32>;
std::string make_api_token(const ApiTokenBits& random);
// Whether this is one by its looks; whether it counts, the tenant's log says.
bool looks_like_api_token(std::string_view text);
// SHA-256, 32 bytes. No salt: what is hashed cannot be guessed.
std::string api_token_hash(std::string_view text);

}  // namespace lattice::credentials
