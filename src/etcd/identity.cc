#include "etcd/identity.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/big_endian.h"
#include "etcd/wire.h"

namespace lattice::etcd {
uint64_t derive_member_id(std::vector<std::string> urls, std::string_view token) {
  std::sort(urls.begin(), urls.end());
  std::string text;
  for (const std::string& url : urls) text += url;
  text += token;
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return read_big_endian(std::span(digest).first(8));
}

uint64_t Identity::member_id_of(const std::string& name,
                                const std::vector<std::string>& client_urls) const {
  const uint64_t id = derive_member_id(client_urls, name + std::to_string(parts_.cluster_id));
  // Zero would read as "not set" to clients.
  return std::max<uint64_t>(id, 1);
}

Identity::Identity(Parts parts) : parts_(std::move(parts)) {
  member_id_ = member_id_of(parts_.name, parts_.client_urls);
  std::array<char, 32> buffer{};
  char* at = put_number_field(buffer.data(), 1, parts_.cluster_id);
  at = put_number_field(at, 2, member_id_);
  header_prefix_.assign(buffer.data(), at);
}

}  // namespace lattice::etcd
