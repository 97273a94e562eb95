// The secrets that the nodes of one cluster share, and messages authenticated by them (HMAC-SHA256,
// RFC 2104). The first secret signs, all verify, so that a secret can be replaced without a moment
// in which nodes do not understand each other.
//
// Thread: immutable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace lattice {

Digest hmac_sha256(std::string_view key, std::string_view data);
// In constant time.
bool equal_digests(const Digest& a, const Digest& b);

class Keyring {
 public:
  struct Mac {
    uint32_t key_id = 0;  // of the secret; tells nothing else about it
    Digest digest{};
  };

  // Requires: at least one secret, none empty.
  explicit Keyring(const std::vector<std::string>& secrets);

  // `purpose` keeps messages of one kind from being taken for another kind's.
  Mac sign(std::string_view purpose, std::string_view data) const;
  // In constant time for a known key id.
  bool verify(std::string_view purpose, std::string_view data, const Mac& mac) const;

  // The ids of the secrets, the one that signs first.
  std::vector<uint32_t> key_ids() const;
  // What sign() would answer if the secret with this id signed; also a key for a purpose. nullopt:
  // no such secret.
  std::optional<Digest> derive(uint32_t key_id, std::string_view purpose,
                               std::string_view data) const;

 private:
  struct Key {
    uint32_t id;
    std::string secret;
  };
  static Digest digest_of(const Key& key, std::string_view purpose, std::string_view data);

  std::vector<Key> keys_;
};

}  // namespace lattice
