#include "base/keyring.h"

#include <array>
#include <cstring>

#include "base/sha256.h"

namespace lattice {
namespace {

std::string_view view_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

Digest hmac_sha256(std::string_view key, std::string_view data) {
  constexpr size_t block = 64;
  std::array<char, block> inner{};
  if (key.size() > block) {
    const Digest shorter = sha256(key);
    std::memcpy(inner.data(), shorter.data(), shorter.size());
  } else {
    std::memcpy(inner.data(), key.data(), key.size());
  }
  std::array<char, block> outer = inner;
  for (char& c : inner) c = static_cast<char>(c ^ 0x36);
  for (char& c : outer) c = static_cast<char>(c ^ 0x5c);
  Sha256 hash;
  hash.update({inner.data(), inner.size()});
  hash.update(data);
  const Digest first = hash.finish();
  hash.update({outer.data(), outer.size()});
  hash.update(view_of(first));
  return hash.finish();
}

bool equal_digests(const Digest& a, const Digest& b) {
  uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<uint8_t>(a[i] ^ b[i]);
  return difference == 0;
}

Keyring::Keyring(const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    const Digest id = hmac_sha256(secret, "lattice key id");
    uint32_t number = 0;
    std::memcpy(&number, id.data(), sizeof(number));
    keys_.push_back({number, secret});
  }
}

Digest Keyring::digest_of(const Key& key, std::string_view purpose, std::string_view data) {
  std::string text;
  text.reserve(purpose.size() + 1 + data.size());
  text.append(purpose).append(1, '\0').append(data);
  return hmac_sha256(key.secret, text);
}

Keyring::Mac Keyring::sign(std::string_view purpose, std::string_view data) const {
  const Key& key = keys_.front();
  return {key.id, digest_of(key, purpose, data)};
}

bool Keyring::verify(std::string_view purpose, std::string_view data, const Mac& mac) const {
  for (const Key& key : keys_) {
    if (key.id != mac.key_id) continue;
    if (equal_digests(digest_of(key, purpose, data), mac.digest)) return true;
  }
  return false;
}

std::vector<uint32_t> Keyring::key_ids() const {
  std::vector<uint32_t> ids;
  for (const Key& key : keys_) ids.push_back(key.id);
  return ids;
}

std::optional<Digest> Keyring::derive(uint32_t key_id, std::string_view purpose,
                                      std::string_view data) const {
  for (const Key& key : keys_) {
    if (key.id == key_id) return digest_of(key, purpose, data);
  }
  return std::nullopt;
}

}  // namespace lattice
