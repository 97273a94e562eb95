#include <doctest/doctest.h>

#include <string>

#include "credentials/api_tokens.h"
#include "credentials/authority.h"
#include "credentials/base64url.h"
#include "credentials/jwt.h"
#include "credentials/simple_tokens.h"

namespace lattice::credentials {
namespace {

int64_t now_seconds = 0;
int64_t test_clock() { return now_seconds; }

constexpr int64_t ttl_seconds = 300;

SimpleTokens simple(const std::string& secret = "secret") {
  return SimpleTokens(Keyring({secret}), ttl_seconds);
}

std::unique_ptr<SigningKey> hmac_key(const std::string& method = "HS256") {
  return std::move(*SigningKey::make(method, "", "a secret of some length"));
}

Authority authority_with(std::shared_ptr<const Tokens> tokens) {
  now_seconds = 1'000'000;
  Authority authority([](Authority::Task, Authority::Task) { return false; }, 4, test_clock);
  authority.use(std::move(tokens));
  return authority;
}

bool is_valid(const auth::CallerRef& caller) { return caller->kind != auth::Caller::Kind::invalid; }

TEST_CASE("simple tokens: another node with the same secret reads what one has made") {
  const auto token = simple().issue({"alice", 7, "log"}, 1000);
  REQUIRE(token.ok());
  const auto verified = simple().verify(*token);
  REQUIRE(verified);
  CHECK(verified->caller.user == "alice");
  CHECK(verified->caller.revision == 7);
  CHECK(verified->caller.realm == "log");
  CHECK(verified->caller.kind == auth::Caller::Kind::simple_token);
  CHECK(verified->expires_seconds == 1000 + ttl_seconds);
  CHECK_FALSE(simple("other").verify(*token));
  // While the secret is replaced.
  const SimpleTokens both(Keyring({"new", "secret"}), ttl_seconds);
  CHECK(both.verify(*token));
}

TEST_CASE("simple tokens: no other spelling of a token is one") {
  const std::string token = *simple().issue({"alice", 7, "log"}, 1000);
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. ";
  for (size_t i = 0; i < token.size(); ++i) {
    for (const char c : alphabet) {
      if (c == token[i]) continue;
      std::string other = token;
      other[i] = c;
      CHECK_FALSE(simple().verify(other));
    }
    CHECK_FALSE(simple().verify(token.substr(0, i)));
  }
  CHECK_FALSE(simple().verify(token + "A"));
}

TEST_CASE("simple tokens: each use prolongs, disuse ends") {
  Authority authority = authority_with(std::make_shared<SimpleTokens>(simple()));
  const std::string token = *authority.issue({"alice", 1, "log"});
  for (int i = 0; i < 10; ++i) {
    now_seconds += ttl_seconds - 1;
    CHECK(is_valid(authority.identify(token, false)));
  }
  CHECK(is_valid(authority.identify("Bearer " + token, false)));
  now_seconds += ttl_seconds;
  CHECK_FALSE(is_valid(authority.identify(token, false)));
  CHECK_FALSE(is_valid(authority.identify("", false)));
  CHECK_FALSE(is_valid(authority.identify(std::string(token_bytes_max + 1, 'a'), false)));
}

TEST_CASE("simple tokens: one from a clock far ahead is none") {
  Authority authority = authority_with(std::make_shared<SimpleTokens>(simple()));
  CHECK(is_valid(authority.identify(*simple().issue({"a", 1, "log"}, now_seconds + 30), false)));
  CHECK_FALSE(
      is_valid(authority.identify(*simple().issue({"a", 1, "log"}, now_seconds + 90), false)));
}

TEST_CASE("authority: remembers a bounded number of tokens, those in use the longest") {
  Authority authority = authority_with(std::make_shared<SimpleTokens>(simple()));
  const std::string kept = *authority.issue({"kept", 1, "log"});
  const auto first = authority.identify(kept, false);
  for (int i = 0; i < 30'000; ++i) {
    (void)authority.identify(*authority.issue({"u" + std::to_string(i), 1, "log"}), false);
    if (i % 1000 == 0) (void)authority.identify(kept, false);
  }
  CHECK(authority.identify(kept, false) == first);
}

TEST_CASE("jwt: what is issued is read, with the log that it is for") {
  const Jwt jwt(hmac_key(), 60);
  const auto token = jwt.issue({"alice", 7, std::string("\0\xff", 2)}, 1000);
  REQUIRE(token.ok());
  const auto verified = jwt.verify(*token);
  REQUIRE(verified);
  CHECK(verified->caller.user == "alice");
  CHECK(verified->caller.revision == 7);
  CHECK(verified->caller.realm == std::string("\0\xff", 2));
  CHECK(verified->expires_seconds == 1060);
  CHECK_FALSE(Jwt(std::move(*SigningKey::make("HS256", "", "other")), 60).verify(*token));
  CHECK_FALSE(Jwt(hmac_key("HS512"), 60).verify(*token));
}

std::string forged(const std::string& header, const std::string& claims) {
  const std::string text = to_base64url(header) + "." + to_base64url(claims);
  return text + "." + to_base64url(*hmac_key()->sign(text));
}

TEST_CASE("jwt: a header that asks for less is not obeyed, and claims must be there") {
  const Jwt jwt(hmac_key(), 60);
  const std::string good = R"({"username":"a","revision":3,"exp":2000})";
  CHECK(jwt.verify(forged(R"({"alg":"HS256"})", good)));
  CHECK_FALSE(jwt.verify(forged(R"({"alg":"none"})", good)));
  CHECK_FALSE(jwt.verify(forged(R"({"alg":"RS256"})", good)));
  CHECK_FALSE(jwt.verify(forged(R"({"alg":"HS256","crit":["x"]})", good)));
  CHECK_FALSE(jwt.verify(forged("[]", good)));
  CHECK_FALSE(jwt.verify(forged("{" + std::string(5000, '['), good)));
  for (const char* claims :
       {R"({"revision":3,"exp":2000})", R"({"username":"a","exp":2000})",
        R"({"username":"a","revision":3})", R"({"username":1,"revision":3,"exp":2000})",
        R"({"username":"a","revision":-3,"exp":2000})",
        R"({"username":"a","revision":"3","exp":2000})",
        R"({"username":"a","revision":3,"exp":1e300})",
        R"({"username":"a","revision":3,"exp":2000,"log":"xyz"})",
        R"({"username":"a","revision":3,"exp":2000,"nbf":"x"})", "{", "null", ""}) {
    CHECK_FALSE(jwt.verify(forged(R"({"alg":"HS256"})", claims)));
  }
  const std::string token = forged(R"({"alg":"HS256"})", good);
  CHECK_FALSE(jwt.verify(token.substr(0, token.rfind('.'))));
  CHECK_FALSE(jwt.verify(token.substr(0, token.rfind('.') + 1)));
  CHECK_FALSE(jwt.verify("." + token));
  CHECK_FALSE(jwt.verify(".."));
}

TEST_CASE("jwt: ends on time, and one that names no log counts for the default tenant only") {
  Authority authority = authority_with(std::make_shared<Jwt>(hmac_key(), 60));
  const std::string token = *authority.issue({"alice", 1, "log"});
  now_seconds += 59;
  CHECK(is_valid(authority.identify(token, false)));
  now_seconds += 1;
  CHECK_FALSE(is_valid(authority.identify(token, false)));
  const std::string foreign =
      forged(R"({"alg":"HS256"})", R"({"username":"a","revision":3,"exp":2000000})");
  CHECK(is_valid(authority.identify(foreign, true)));
  CHECK_FALSE(is_valid(authority.identify(foreign, false)));
  const std::string later =
      forged(R"({"alg":"HS256"})", R"({"username":"a","revision":3,"exp":2000000,"nbf":1999999})");
  CHECK_FALSE(is_valid(authority.identify(later, true)));
}

TEST_CASE("api tokens: known by their looks, and named by nothing but their hash") {
  Authority authority = authority_with(nullptr);
  ApiTokenBits bits{};
  bits.fill(0xa5);
  const std::string token = make_api_token(bits);
  CHECK(token.starts_with("lat_"));
  CHECK(looks_like_api_token(token));
  for (const std::string& text : {token, "Bearer " + token}) {
    const auto caller = authority.identify(text, false);
    CHECK(caller->kind == auth::Caller::Kind::api_token);
    CHECK(caller->user.empty());
    CHECK(caller->token_hash == api_token_hash(token));
    CHECK(caller->seen_seconds == now_seconds);
  }
  for (const std::string& text : {token + "A", token.substr(1), std::string("lat_")}) {
    CHECK_FALSE(is_valid(authority.identify(text, true)));
  }
  bits.back() ^= 1;
  CHECK(api_token_hash(make_api_token(bits)) != api_token_hash(token));
}

TEST_CASE("base64url: every length comes back, and only one spelling is accepted") {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    const auto text = to_base64url(bytes);
    CHECK(from_base64url(text) == bytes);
    bytes.push_back(static_cast<char>(i * 37));
  }
  CHECK(to_base64url("\xff") == "_w");
  CHECK_FALSE(from_base64url("_x"));
  CHECK_FALSE(from_base64url("_w=="));
  CHECK_FALSE(from_base64url("A"));
}

}  // namespace
}  // namespace lattice::credentials
