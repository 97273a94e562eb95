#include "credentials/jwt.h"

#include <json/reader.h>
#include <json/value.h>
#include <json/writer.h>

#include <algorithm>
#include <memory>

#include "credentials/base64url.h"

namespace lattice::credentials {
namespace {

// jsoncpp ends nesting that is too deep by an exception: it never gets to see it.
constexpr auto brackets_max = 32;

std::optional<Json::Value> read_object(std::string_view base64) {
  const std::optional<std::string> text = from_base64url(base64);
  if (!text) return std::nullopt;
  const auto brackets = std::ranges::count_if(*text, [](char c) { return c == '[' || c == '{'; });
  if (brackets > brackets_max) return std::nullopt;
  Json::CharReaderBuilder builder;
  Json::CharReaderBuilder::strictMode(&builder.settings_);
  const std::unique_ptr<Json::CharReader> reader(builder.newCharReader());
  Json::Value value;
  std::string problem;
  if (!reader->parse(text->data(), text->data() + text->size(), &value, &problem)) {
    return std::nullopt;
  }
  return value.isObject() ? std::optional(std::move(value)) : std::nullopt;
}

std::string write(const Json::Value& value) {
  Json::StreamWriterBuilder builder;
  builder["indentation"] = "";
  return to_base64url(Json::writeString(builder, value));
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    text.append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
  }
  return text;
}

std::optional<std::string> from_hex(const std::string& text) {
  constexpr std::string_view digits = "0123456789abcdef";
  if (text.empty() || text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 2) {
    const size_t high = digits.find(text[i]);
    const size_t low = digits.find(text[i + 1]);
    if (high == digits.npos || low == digits.npos) return std::nullopt;
    bytes.append(1, static_cast<char>(high << 4 | low));
  }
  return bytes;
}

// Numbers may be written as 1e9; beyond what a double counts exactly there is no date or revision.
std::optional<int64_t> number_of(const Json::Value& value) {
  if (!value.isNumeric()) return std::nullopt;
  const double number = value.asDouble();
  if (!(number >= 0 && number <= 9e15)) return std::nullopt;
  return static_cast<int64_t>(number);
}

}  // namespace

Result<std::string> Jwt::issue(const TokenClaims& claims, int64_t now_seconds) const {
  if (!key_->can_sign()) {
    return Status(Error::unknown, "auth: token signing attempted with verify-only key");
  }
  Json::Value header;
  header["alg"] = key_->method();
  header["typ"] = "JWT";
  Json::Value body;
  body["username"] = claims.user;
  body["revision"] = static_cast<Json::UInt64>(claims.revision);
  body["exp"] = static_cast<Json::Int64>(now_seconds + ttl_seconds_);
  body["log"] = to_hex(claims.realm);
  std::string token = write(header) + "." + write(body);
  Result<std::string> signature = key_->sign(token);
  if (!signature.ok()) return signature.status();
  return token + "." + to_base64url(*signature);
}

std::optional<Tokens::Verified> Jwt::verify(std::string_view token) const {
  const size_t first = token.find('.');
  const size_t last = token.rfind('.');
  if (first == token.npos || first == last) return std::nullopt;
  const std::string_view body = token.substr(first + 1, last - first - 1);
  if (body.find('.') != body.npos) return std::nullopt;
  const auto header = read_object(token.substr(0, first));
  if (!header || (*header)["alg"] != Json::Value(key_->method())) return std::nullopt;
  // Extensions that must be understood are not.
  if (header->isMember("crit")) return std::nullopt;
  const auto signature = from_base64url(token.substr(last + 1));
  if (!signature || !key_->verify(token.substr(0, last), *signature)) return std::nullopt;

  const auto claims = read_object(body);
  if (!claims || !(*claims)["username"].isString()) return std::nullopt;
  const auto revision = number_of((*claims)["revision"]);
  const auto expires = number_of((*claims)["exp"]);
  if (!revision || !expires) return std::nullopt;
  Verified verified;
  verified.caller.kind = auth::Caller::Kind::signed_token;
  verified.caller.user = (*claims)["username"].asString();
  verified.caller.revision = static_cast<uint64_t>(*revision);
  verified.expires_seconds = *expires;
  if (claims->isMember("nbf")) {
    const auto not_before = number_of((*claims)["nbf"]);
    if (!not_before) return std::nullopt;
    verified.issued_seconds = *not_before;
  }
  if (claims->isMember("log")) {
    const Json::Value& log = (*claims)["log"];
    auto realm = log.isString() ? from_hex(log.asString()) : std::nullopt;
    if (!realm) return std::nullopt;
    verified.caller.realm = std::move(*realm);
  }
  return verified;
}

}  // namespace lattice::credentials
