#include <doctest/doctest.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <string>
#include <utility>

#include "credentials/base64url.h"
#include "credentials/bcrypt.h"
#include "credentials/jwt.h"
#include "credentials/login_guard.h"
#include "credentials/signing_key.h"

namespace lattice::credentials {
namespace {

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

// Public and private PEM; the key is freed.
std::pair<std::string, std::string> pem_of(EVP_PKEY* key) {
  BIO* shown = BIO_new(BIO_s_mem());
  BIO* hidden = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(shown, key);
  PEM_write_bio_PrivateKey(hidden, key, nullptr, nullptr, 0, nullptr, nullptr);
  EVP_PKEY_free(key);
  return {text_of(shown), text_of(hidden)};
}

void check_method(const std::string& method, const std::pair<std::string, std::string>& pem) {
  CAPTURE(method);
  auto both = SigningKey::make(method, pem.first, pem.second);
  auto verifier = SigningKey::make(method, pem.first, "");
  REQUIRE(both.ok());
  REQUIRE(verifier.ok());
  CHECK((*both)->can_sign());
  CHECK_FALSE((*verifier)->can_sign());
  auto signature = (*both)->sign("data");
  REQUIRE(signature.ok());
  CHECK((*verifier)->verify("data", *signature));
  CHECK_FALSE((*verifier)->verify("other", *signature));
  CHECK_FALSE((*verifier)->verify("data", ""));
  (*signature)[signature->size() / 2] ^= 1;
  CHECK_FALSE((*verifier)->verify("data", *signature));
}

TEST_CASE("signing keys: every method that etcd knows") {
  const auto rsa = pem_of(EVP_RSA_gen(2048));
  for (const char* method : {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}) {
    check_method(method, rsa);
  }
  check_method("ES256", pem_of(EVP_EC_gen("P-256")));
  check_method("ES384", pem_of(EVP_EC_gen("P-384")));
  check_method("ES512", pem_of(EVP_EC_gen("P-521")));
  const auto ed25519 = pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  check_method("EdDSA", ed25519);

  CHECK_FALSE(SigningKey::make("ES256", ed25519.first, "").ok());
  CHECK_FALSE(SigningKey::make("RS256", ed25519.first, "").ok());
  CHECK_FALSE(SigningKey::make("RS256", "", "").ok());
  CHECK_FALSE(SigningKey::make("RS256", "no PEM", "").ok());
  CHECK_FALSE(SigningKey::make("none", rsa.first, "").ok());
  CHECK_FALSE(SigningKey::make("HS256", rsa.first, "").ok());
  const auto other = pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  CHECK_FALSE(SigningKey::make("EdDSA", ed25519.first, other.second).ok());
}

TEST_CASE("jwt: a public key is no secret, and the token does not choose the key") {
  const auto rsa = pem_of(EVP_RSA_gen(2048));
  const auto signed_by = [](const SigningKey& key, const std::string& header) {
    const std::string text = to_base64url(header) + "." +
                             to_base64url(R"({"username":"root","revision":9,"exp":9000000000})");
    return text + "." + to_base64url(*key.sign(text));
  };
  const auto verifier = [&] { return std::move(*SigningKey::make("RS256", rsa.first, "")); };
  const Jwt jwt(verifier(), 60);
  const auto private_key = std::move(*SigningKey::make("RS256", "", rsa.second));
  const std::string good = signed_by(*private_key, R"({"alg":"RS256"})");
  REQUIRE(jwt.verify(good));
  // HS256 under the bytes of the public key, which everybody may have.
  const auto confused = std::move(*SigningKey::make("HS256", "", rsa.first));
  for (const char* header : {R"({"alg":"HS256"})", R"({"alg":"RS256"})", R"({"alg":"none"})"}) {
    CHECK_FALSE(jwt.verify(signed_by(*confused, header)));
  }
  // A key that the token names, or brings along, is not asked for.
  const auto other = std::move(*SigningKey::make("HS256", "", std::string(1, 'x')));
  for (const char* header : {R"({"alg":"HS256","kid":"../../../dev/null"})",
                             R"({"alg":"RS256","kid":"x' UNION SELECT"})",
                             R"({"alg":"RS256","jku":"http://127.0.0.1/"})",
                             R"({"alg":"RS256","jwk":{"kty":"oct","k":"eA"}})"}) {
    CHECK_FALSE(jwt.verify(signed_by(*other, header)));
  }
  // Every bit that is turned in any of its characters.
  for (size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 7; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ 1 << bit);
      CHECK_FALSE(jwt.verify(bad));
    }
  }
}

TEST_CASE("bcrypt: etcd's hashes are ours") {
  const std::string known = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
  CHECK(check_password("U*U", known, 12));
  CHECK_FALSE(check_password("U*V", known, 12));
  CHECK_FALSE(check_password("U*U", known, 4));
  const auto hash = hash_password("secret", 4);
  REQUIRE(hash.ok());
  CHECK(hash->starts_with("$2a$04$"));
  CHECK(*hash != *hash_password("secret", 4));
  CHECK(check_password("secret", *hash, 4));
  CHECK_FALSE(check_password("", *hash, 4));
  CHECK(check_password("", *hash_password("", 4), 4));
  CHECK_FALSE(check_password("secret", "", 31));
  CHECK_FALSE(check_password("secret", "$1$abc$", 31));
}

TEST_CASE("bcrypt: what it would cut off is refused") {
  CHECK(hash_password(std::string(72, 'x'), 4).ok());
  const Status refused = hash_password(std::string(73, 'x'), 4).status();
  CHECK(refused.error() == Error::unknown);
  CHECK(refused.detail() == "bcrypt: password length exceeds 72 bytes");
  CHECK_FALSE(hash_password(std::string("a\0b", 3), 4).ok());
  CHECK_FALSE(check_password(std::string("a\0b", 3), *hash_password("a", 4), 4));
}

TEST_CASE("base64: hashes as etcd's clients send them") {
  CHECK(*decode_base64("") == "");
  CHECK(*decode_base64("JDJhJA==") == "$2a$");
  CHECK(*decode_base64("JDJh") == "$2a");
  CHECK(*decode_base64("JDI=") == "$2");
  for (const char* bad : {"JDJhJA", "JDJhJA=", "*", "J", "====", "JDI=x"}) {
    CHECK(decode_base64(bad).error() == Error::unknown);
  }
}

TEST_CASE("login guard: failures in a row slow down that user only, and success forgets them") {
  LoginGuard guard;
  Instant now{0};
  for (int i = 0; i < 5; ++i) {
    CHECK(guard.begin("alice", now) == Duration{});
    guard.finished("alice", LoginGuard::Outcome::wrong, now);
  }
  CHECK(guard.begin("alice", now) == std::chrono::milliseconds(100));
  guard.finished("alice", LoginGuard::Outcome::wrong, now);
  CHECK(guard.begin("alice", now) == std::chrono::milliseconds(200));
  CHECK(guard.begin("bob", now) == Duration{});
  guard.finished("alice", LoginGuard::Outcome::right, now);
  CHECK(guard.begin("alice", now) == Duration{});
  CHECK(guard.size() == 0);
}

TEST_CASE("login guard: few wait, time forgets, and memory is bounded") {
  LoginGuard guard;
  Instant now{0};
  for (int i = 0; i < 40; ++i) guard.finished("alice", LoginGuard::Outcome::wrong, now);
  for (int i = 0; i < 8; ++i) CHECK(guard.begin("alice", now) == std::chrono::seconds(5));
  CHECK_FALSE(guard.begin("alice", now));
  guard.finished("alice", LoginGuard::Outcome::none, now);
  CHECK(guard.begin("alice", now));
  CHECK(guard.begin("alice", now + std::chrono::minutes(10)) == Duration{});
  for (int i = 0; i < 10'000; ++i) {
    now = now + std::chrono::milliseconds(1);
    guard.finished("user" + std::to_string(i), LoginGuard::Outcome::wrong, now);
  }
  CHECK(guard.size() <= 4096);
}

}  // namespace
}  // namespace lattice::credentials
