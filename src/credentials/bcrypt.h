// Passwords as etcd keeps them: bcrypt, in the form "$2a$10$...". Slow on purpose: tens of
// milliseconds at the default cost, so never on an event loop (PasswordThread).
// Thread: pure functions, but for the random salt.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace lattice::credentials {

inline constexpr int bcrypt_cost_min = 4;
inline constexpr int bcrypt_cost_max = 31;
inline constexpr int bcrypt_cost_default = 10;
// What etcd's bcrypt accepts; more is not silently cut off.
inline constexpr size_t password_bytes_max = 72;

// Errors: unknown, with etcd's text, for a password that is too long.
Result<std::string> hash_password(std::string_view password, int cost);
// False also for a hash that is none, and for one that would take more than 2^cost_max rounds.
bool check_password(std::string_view password, const std::string& hash, int cost_max);

// No character for standard base64 is missing or superfluous, and what it says. etcd carries hashes
// like that. Errors: unknown, with Go's text.
Result<std::string> decode_base64(std::string_view text);

}  // namespace lattice::credentials
