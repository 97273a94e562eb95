#include "credentials/bcrypt.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <memory>

namespace lattice::credentials {
namespace {

// Passwords are C strings to crypt(). bcrypt stops at a zero byte; one that holds some is never
// right, where a shorter one would be.
std::string run_crypt(std::string_view password, const std::string& setting) {
  if (password.find('\0') != password.npos) return {};
  const auto data = std::make_unique<crypt_data>();
  std::string terminated(password);
  const char* hash = crypt_r(terminated.c_str(), setting.c_str(), data.get());
  std::string result = hash == nullptr || hash[0] == '*' ? std::string() : std::string(hash);
  OPENSSL_cleanse(data.get(), sizeof(*data));
  OPENSSL_cleanse(terminated.data(), terminated.size());
  return result;
}

// The cost in "$2a$10$...", 0 for anything else.
int cost_of(const std::string& hash) {
  const bool is_bcrypt = hash.size() == 60 && hash.starts_with("$2") && hash[3] == '$' &&
                         hash[6] == '$' && hash[4] >= '0' && hash[4] <= '9' && hash[5] >= '0' &&
                         hash[5] <= '9';
  return is_bcrypt ? (hash[4] - '0') * 10 + (hash[5] - '0') : 0;
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

Result<std::string> hash_password(std::string_view password, int cost) {
  if (password.size() > password_bytes_max) {
    return Status(Error::unknown, "bcrypt: password length exceeds 72 bytes");
  }
  std::array<char, 16> salt;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(salt.data()), salt.size()) != 1) {
    return Status(Error::internal, "no random bytes for a password's salt");
  }
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
  if (crypt_gensalt_rn("$2a$", static_cast<unsigned long>(cost), salt.data(), salt.size(),
                       setting.data(), setting.size()) == nullptr) {
    return Status(Error::internal, "bcrypt refuses its cost");
  }
  std::string hash = run_crypt(password, setting.data());
  if (hash.empty()) return Status(Error::unknown, "bcrypt: a password must not hold a zero byte");
  return hash;
}

bool check_password(std::string_view password, const std::string& hash, int cost_max) {
  const int cost = cost_of(hash);
  if (cost == 0 || cost > cost_max || password.size() > password_bytes_max) return false;
  const std::string mine = run_crypt(password, hash);
  return mine.size() == hash.size() && CRYPTO_memcmp(mine.data(), hash.data(), hash.size()) == 0;
}

Result<std::string> decode_base64(std::string_view text) {
  const auto illegal = [](size_t at) {
    return Status(Error::unknown, "illegal base64 data at input byte " + std::to_string(at));
  };
  std::string bytes;
  uint32_t bits = 0;
  size_t count = 0;
  size_t i = 0;
  for (; i < text.size() && text[i] != '='; ++i) {
    const int value = base64_value(text[i]);
    if (value < 0) return illegal(i);
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (++count % 4 == 0) {
      for (const int shift : {16, 8, 0}) bytes.append(1, static_cast<char>(bits >> shift));
      bits = 0;
    }
  }
  const size_t padding = text.size() - i;
  const size_t left = count % 4;
  const bool padded = padding == (4 - left) % 4 && padding < 3;
  if (!padded || text.find_first_not_of('=', i) != text.npos) return illegal(text.size());
  if (left == 2) bytes.append(1, static_cast<char>(bits >> 4));
  if (left == 3) {
    bytes.append(1, static_cast<char>(bits >> 10)).append(1, static_cast<char>(bits >> 2));
  }
  return bytes;
}

}  // namespace lattice::credentials
