#include "credentials/simple_tokens.h"

#include <cstring>

#include "credentials/base64url.h"

namespace lattice::credentials {
namespace {

constexpr std::string_view purpose = "lattice simple token";
constexpr char version = 1;
constexpr size_t head_bytes = 1 + 4 + 8 + 8 + 1;
constexpr size_t mac_bytes = sizeof(Digest);

void put(uint64_t number, int bytes, std::string* out) {
  for (int shift = bytes * 8 - 8; shift >= 0; shift -= 8) {
    out->append(1, static_cast<char>(number >> shift));
  }
}

uint64_t take(std::string_view* in, size_t bytes) {
  uint64_t number = 0;
  for (size_t i = 0; i < bytes; ++i) number = number << 8 | static_cast<uint8_t>((*in)[i]);
  in->remove_prefix(bytes);
  return number;
}

}  // namespace

Result<std::string> SimpleTokens::issue(const TokenClaims& claims, int64_t now_seconds) const {
  if (claims.realm.size() > 255) return Error::internal;
  const uint32_t key_id = keyring_.key_ids().front();
  std::string body(1, version);
  put(key_id, 4, &body);
  put(static_cast<uint64_t>(now_seconds), 8, &body);
  put(claims.revision, 8, &body);
  put(claims.realm.size(), 1, &body);
  body.append(claims.realm).append(claims.user);
  const Keyring::Mac mac = keyring_.sign(purpose, body);
  body.append(reinterpret_cast<const char*>(mac.digest.data()), mac.digest.size());
  return to_base64url(body);
}

std::optional<Tokens::Verified> SimpleTokens::verify(std::string_view token) const {
  const std::optional<std::string> bytes = from_base64url(token);
  if (!bytes || bytes->size() < head_bytes + mac_bytes || bytes->front() != version) {
    return std::nullopt;
  }
  std::string_view body(*bytes);
  Keyring::Mac mac;
  std::memcpy(mac.digest.data(), body.data() + body.size() - mac_bytes, mac_bytes);
  body.remove_suffix(mac_bytes);
  const std::string_view all = body;
  body.remove_prefix(1);
  mac.key_id = static_cast<uint32_t>(take(&body, 4));
  if (!keyring_.verify(purpose, all, mac)) return std::nullopt;
  Verified verified;
  verified.issued_seconds = static_cast<int64_t>(take(&body, 8));
  verified.expires_seconds = verified.issued_seconds + ttl_seconds_;
  verified.caller.kind = auth::Caller::Kind::simple_token;
  verified.caller.revision = take(&body, 8);
  const size_t realm_size = take(&body, 1);
  if (body.size() <= realm_size) return std::nullopt;
  verified.caller.realm = body.substr(0, realm_size);
  verified.caller.user = body.substr(realm_size);
  return verified;
}

}  // namespace lattice::credentials
