#include "peer/handshake.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/status.h"
#include "peer/codec_parts.h"

namespace lattice::peer {
namespace {

constexpr uint32_t version = 2;
constexpr int key_ids_max = 16;

void append_number(std::string* to, uint64_t number, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) to->push_back(static_cast<char>(number >> (8 * i)));
}

std::string transcript_of(std::string_view cluster, const Nonce& client, const Nonce& server,
                          uint32_t key_id) {
  std::string text = "lattice.peer.v1";
  append_number(&text, version, 4);
  append_number(&text, cluster.size(), 4);
  text.append(cluster);
  text.append(client.begin(), client.end());
  text.append(server.begin(), server.end());
  append_number(&text, key_id, 4);
  return text;
}

// Requires: the keyring has the key.
FrameKeys keys_of(const Keyring& keyring, uint32_t key_id, const std::string& transcript) {
  return {FrameKey(*keyring.derive(key_id, "peer client frames", transcript)),
          FrameKey(*keyring.derive(key_id, "peer server frames", transcript))};
}

bool parse(std::string_view bytes, google::protobuf::MessageLite* message) {
  return bytes.size() <= ServerHandshake::message_bytes_max &&
         message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

Status refused(const char* why) { return {Error::invalid_argument, why}; }

constexpr const char* no_common_secret =
    "no common secret: is [cluster] secret the same everywhere?";

}  // namespace

FrameKey::FrameKey(const Digest& key) : inner_(64, '\x36'), outer_(64, '\x5c') {
  for (size_t i = 0; i < key.size(); ++i) {
    inner_[i] = static_cast<char>(inner_[i] ^ key[i]);
    outer_[i] = static_cast<char>(outer_[i] ^ key[i]);
  }
}

Digest FrameKey::mac_of(uint64_t number, std::string_view text) {
  std::string bytes;
  append_number(&bytes, number, 8);
  hash_.update(inner_);
  hash_.update(bytes);
  hash_.update(text);
  const Digest inner = hash_.finish();
  hash_.update(outer_);
  hash_.update({reinterpret_cast<const char*>(inner.data()), inner.size()});
  return hash_.finish();
}

Bytes FrameKey::seal(std::string_view frame) {
  const Digest mac = mac_of(number_++, frame);
  char* data = nullptr;
  Bytes message = Bytes::allocate(mac_bytes + frame.size(), &data);
  std::memcpy(data, mac.data(), mac_bytes);
  if (!frame.empty()) std::memcpy(data + mac_bytes, frame.data(), frame.size());
  return message;
}

std::optional<std::string_view> FrameKey::open(std::string_view message) {
  if (message.size() < mac_bytes) return std::nullopt;
  Digest mac;
  std::memcpy(mac.data(), message.data(), mac_bytes);
  const std::string_view frame = message.substr(mac_bytes);
  if (!equal_digests(mac, mac_of(number_++, frame))) return std::nullopt;
  return frame;
}

ClientHandshake::ClientHandshake(const Keyring& keyring, std::string cluster, const Nonce& nonce)
    : keyring_(keyring), cluster_(std::move(cluster)), nonce_(nonce) {}

std::string ClientHandshake::hello() const {
  v1::Hello hello;
  hello.set_version(version);
  for (const uint32_t id : keyring_.key_ids()) hello.add_key_ids(id);
  set_bytes(nonce_, hello.mutable_nonce());
  hello.set_cluster(cluster_);
  return hello.SerializeAsString();
}

Result<ClientHandshake::Success> ClientHandshake::on_welcome(std::string_view message) const {
  v1::Welcome welcome;
  Nonce nonce{};
  Digest mac{};
  if (!parse(message, &welcome) || !get_bytes(welcome.nonce(), &nonce) ||
      !get_bytes(welcome.mac(), &mac)) {
    return refused("malformed welcome");
  }
  const uint32_t key_id = welcome.key_id();
  const std::string transcript = transcript_of(cluster_, nonce_, nonce, key_id);
  const std::optional<Digest> expected = keyring_.derive(key_id, "peer server", transcript);
  if (!expected || !equal_digests(*expected, mac)) return refused(no_common_secret);
  v1::Proof proof;
  set_bytes(*keyring_.derive(key_id, "peer client", transcript), proof.mutable_mac());
  return Success{proof.SerializeAsString(), keys_of(keyring_, key_id, transcript)};
}

ServerHandshake::ServerHandshake(const Keyring& keyring, std::string cluster, const Nonce& nonce)
    : keyring_(keyring), cluster_(std::move(cluster)), nonce_(nonce) {}

Result<std::string> ServerHandshake::cluster_of(std::string_view message) {
  v1::Hello hello;
  if (!parse(message, &hello)) return refused("malformed hello");
  return hello.cluster();
}

Result<std::string> ServerHandshake::on_hello(std::string_view message) {
  v1::Hello hello;
  Nonce nonce{};
  if (!parse(message, &hello) || !get_bytes(hello.nonce(), &nonce)) {
    return refused("malformed hello");
  }
  if (hello.version() != version) return refused("another version of the protocol");
  if (hello.cluster() != cluster_) return refused("a node of another cluster");
  const std::vector<uint32_t> known = keyring_.key_ids();
  for (int i = 0; i < std::min(hello.key_ids_size(), key_ids_max); ++i) {
    if (std::find(known.begin(), known.end(), hello.key_ids(i)) == known.end()) continue;
    key_id_ = hello.key_ids(i);
    transcript_ = transcript_of(cluster_, nonce, nonce_, key_id_);
    v1::Welcome welcome;
    welcome.set_key_id(key_id_);
    set_bytes(nonce_, welcome.mutable_nonce());
    set_bytes(*keyring_.derive(key_id_, "peer server", transcript_), welcome.mutable_mac());
    return welcome.SerializeAsString();
  }
  return refused(no_common_secret);
}

Result<FrameKeys> ServerHandshake::on_proof(std::string_view message) const {
  v1::Proof proof;
  Digest mac{};
  if (!parse(message, &proof) || !get_bytes(proof.mac(), &mac)) return refused("malformed proof");
  const std::optional<Digest> expected = keyring_.derive(key_id_, "peer client", transcript_);
  if (!expected || !equal_digests(*expected, mac)) return refused(no_common_secret);
  return keys_of(keyring_, key_id_, transcript_);
}

}  // namespace lattice::peer
