#include "credentials/token_options.h"

#include <charconv>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>

#include "credentials/jwt.h"

namespace lattice::credentials {
namespace {

constexpr int64_t ttl_seconds_default = 300;

Status refuse(std::string why) { return {Error::invalid_argument, std::move(why)}; }

// Go's durations, in whole seconds: "90s", "1h30m".
std::optional<int64_t> parse_seconds(std::string_view text) {
  int64_t total = 0;
  while (!text.empty()) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto digits = static_cast<size_t>(end - text.data());
    if (error != std::errc() || digits == text.size() || number < 0 || number > 1'000'000'000) {
      return std::nullopt;
    }
    switch (text[digits]) {
      case 'h':
        total += number * 3600;
        break;
      case 'm':
        total += number * 60;
        break;
      case 's':
        total += number;
        break;
      default:
        return std::nullopt;
    }
    text.remove_prefix(digits + 1);
  }
  return total > 0 ? std::optional(total) : std::nullopt;
}

Result<std::string> read_file(const std::string& name, const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file || text.empty()) return refuse("cannot read " + name + " " + path);
  return text;
}

}  // namespace

Result<std::shared_ptr<const Tokens>> make_jwt(const std::string& option) {
  if (option == "simple") return std::shared_ptr<const Tokens>();
  std::map<std::string, std::string> given;
  size_t begin = option.find(',');
  if (option.substr(0, begin) != "jwt") return refuse("expected simple or jwt,...");
  while (begin != option.npos) {
    const size_t end = option.find(',', begin + 1);
    const std::string part = option.substr(begin + 1, end == option.npos ? end : end - begin - 1);
    const size_t equals = part.find('=');
    const std::string name = part.substr(0, equals);
    if (equals == part.npos ||
        (name != "pub-key" && name != "priv-key" && name != "sign-method" && name != "ttl")) {
      return refuse("jwt takes sign-method=, pub-key=, priv-key= and ttl=, not \"" + part + "\"");
    }
    given[name] = part.substr(equals + 1);
    begin = end;
  }
  int64_t ttl_seconds = ttl_seconds_default;
  if (given.contains("ttl")) {
    const auto parsed = parse_seconds(given["ttl"]);
    if (!parsed) return refuse("ttl is a duration such as 10m, not \"" + given["ttl"] + "\"");
    ttl_seconds = *parsed;
  }
  const Result<std::string> public_key = read_file("pub-key", given["pub-key"]);
  if (!public_key.ok()) return public_key.status();
  const Result<std::string> private_key = read_file("priv-key", given["priv-key"]);
  if (!private_key.ok()) return private_key.status();
  auto key = SigningKey::make(given["sign-method"], *public_key, *private_key);
  if (!key.ok()) return key.status();
  return std::shared_ptr<const Tokens>(std::make_shared<Jwt>(std::move(*key), ttl_seconds));
}

}  // namespace lattice::credentials
