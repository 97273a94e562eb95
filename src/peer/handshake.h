// How two nodes prove to each other that they know the cluster's secret, and the keys that come of
// it (proto/lattice/peer/v1/peer.proto has the scheme).
// Thread: one owner each; no I/O.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/keyring.h"
#include "base/sha256.h"
#include "base/status.h"

namespace lattice::peer {

using Nonce = std::array<uint8_t, 32>;

// Authenticates the frames of one direction: each carries a MAC over its number and its bytes.
class FrameKey {
 public:
  static constexpr size_t mac_bytes = 32;

  explicit FrameKey(const Digest& key);
  // The next frame with its MAC in front.
  Bytes seal(std::string_view frame);
  // The frame, a part of `message`; nullopt: it is not the next one of who knows the key.
  std::optional<std::string_view> open(std::string_view message);
  // Of what has a number of its own. A key is used for this, or for frames.
  Digest mac_of(uint64_t number, std::string_view text);

 private:
  Sha256 hash_;
  std::string inner_;  // the key, padded and masked, as HMAC has it
  std::string outer_;
  uint64_t number_ = 0;
};

struct FrameKeys {
  FrameKey client;
  FrameKey server;
};

class ClientHandshake {
 public:
  ClientHandshake(const Keyring& keyring, std::string cluster, const Nonce& nonce);
  std::string hello() const;
  // Takes the server's answer; the proof to send and the keys, or what is wrong.
  struct Success {
    std::string proof;
    FrameKeys keys;
  };
  Result<Success> on_welcome(std::string_view message) const;

 private:
  const Keyring& keyring_;
  const std::string cluster_;
  const Nonce nonce_;
};

class ServerHandshake {
 public:
  // Larger messages are no part of a handshake.
  static constexpr size_t message_bytes_max = 1024;

  ServerHandshake(const Keyring& keyring, std::string cluster, const Nonce& nonce);
  // The cluster whose node a client says it is, by its hello.
  static Result<std::string> cluster_of(std::string_view message);
  // The welcome to send, or what is wrong with the client.
  Result<std::string> on_hello(std::string_view message);
  // Requires: on_hello() was answered.
  Result<FrameKeys> on_proof(std::string_view message) const;

 private:
  const Keyring& keyring_;
  const std::string cluster_;
  const Nonce nonce_;
  uint32_t key_id_ = 0;
  std::string transcript_;
};

}  // namespace lattice::peer
