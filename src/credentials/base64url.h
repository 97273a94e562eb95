// RFC 4648 section 5, without padding: what JWT and our own tokens are written in.
// Thread: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lattice::credentials {

std::string to_base64url(std::string_view bytes);
// nullopt for anything that to_base64url() would not have written.
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace lattice::credentials
