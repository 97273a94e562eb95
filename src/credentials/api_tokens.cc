#include "credentials/api_tokens.h"

#include "base/sha256.h"
#include "credentials/base64url.h"

namespace lattice::credentials {
namespace {

// Of 32 bytes in base64url.
constexpr size_t secret_characters = 43;

}  // namespace

std::string make_api_token(const ApiTokenBits& random) {
  const std::string_view bytes(reinterpret_cast<const char*>(random.data()), random.size());
  return std::string(api_token_prefix) + to_base64url(bytes);
}

bool looks_like_api_token(std::string_view text) {
  return text.starts_with(api_token_prefix) &&
         text.size() == api_token_prefix.size() + secret_characters;
}

std::string api_token_hash(std::string_view text) {
  const Digest digest = sha256(text);
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace lattice::credentials
