// Users and roles as the log keeps them: lines of text that people can read in SQL
// (docs/log-format.md). Bytes that are no visible ASCII are written as %XX, and so is "%"; a lone
// "%" is the empty string.
// Thread: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "auth/types.h"
#include "base/status.h"

namespace lattice::auth {

// The password's hash, then one role a line.
std::string to_text(const User& user);
// One permission a line: what it allows, the key, and the end of the range where there is one.
std::string to_text(const Role& role);
// The hash in hexadecimal, the user, the comment, then one role a line.
std::string to_text(const ApiToken& token);

// Takes over the hash and the roles. Errors: backend_corrupt.
Status from_text(std::string_view text, User* user);
Status from_text(std::string_view text, Role* role);
// Takes over what to_text() shows.
Status from_text(std::string_view text, ApiToken* token);

// Of a record that is none that was written: backend_corrupt, and what is wrong with it.
Status corrupt(const char* what);

}  // namespace lattice::auth
