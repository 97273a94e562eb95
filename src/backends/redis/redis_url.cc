#include "backends/redis/redis_url.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace lattice::backends {
namespace {

constexpr const char* plain_form = "redis://[user[:password]@]host[:port][/db]";
constexpr const char* sentinel_form =
    "redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/master-name"
    "[?sentinel_user=...&sentinel_password=...]";

Status invalid(std::string what, const char* form) {
  return Status(Error::invalid_argument,
                "Redis URL: " + std::move(what) + "; what is valid: " + form);
}

bool consume(std::string_view* text, std::string_view prefix) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

// All of `text`, or nothing.
std::optional<uint32_t> number(std::string_view text, int base) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t end = text.find(separator); end != text.npos; end = text.find(separator)) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.push_back(text);
  return parts;
}

std::optional<std::string> decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const auto byte = i + 2 < text.size() ? number(text.substr(i + 1, 2), 16) : std::nullopt;
    if (!byte) return {};
    decoded += static_cast<char>(*byte);
    i += 2;
  }
  return decoded;
}

std::optional<RedisLogin> parse_login(std::string_view text) {
  const size_t colon = text.find(':');
  const auto user = decode(text.substr(0, colon));
  const auto password = decode(colon == text.npos ? std::string_view() : text.substr(colon + 1));
  if (!user || !password) return {};
  return RedisLogin{*user, *password};
}

std::optional<Host> parse_host(std::string_view text, const char* default_port) {
  std::string_view name = text.substr(0, text.find(':'));
  std::string_view rest = text.substr(name.size());
  if (consume(&text, "[")) {
    const size_t end = text.find(']');
    if (end == text.npos) return {};
    name = text.substr(0, end);
    rest = text.substr(end + 1);
  }
  Host host{std::string(name), {}, default_port};
  if (consume(&rest, ":")) {
    const auto port = number(rest, 10);
    if (!port || *port < 1 || *port > 65535) return {};
    host.port = std::to_string(*port);
  } else if (!rest.empty()) {
    return {};
  }
  // Whatever no name has would only make a confusing message later.
  const bool plausible =
      !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return c > ' ' && c < 127 &&
               std::string_view("/@?#,\\\"").find(c) == std::string_view::npos;
      });
  return plausible ? std::optional(host) : std::nullopt;
}

Status parse_query(std::string_view query, RedisUrl* url) {
  for (const std::string_view parameter : split(query, '&')) {
    if (parameter.empty()) continue;
    const size_t equals = parameter.find('=');
    const std::string_view name = parameter.substr(0, equals);
    const auto value = decode(equals == name.npos ? "" : parameter.substr(equals + 1));
    if (!value) return invalid("a % in the query is not followed by two hex digits", sentinel_form);
    if (name == "sentinel_user") {
      url->sentinel_login.user = *value;
    } else if (name == "sentinel_password") {
      url->sentinel_login.password = *value;
    } else {
      return invalid("a parameter is neither sentinel_user nor sentinel_password", sentinel_form);
    }
  }
  return {};
}

Status parse_path(std::string_view path, std::string_view query, RedisUrl* url, bool sentinel) {
  if (!sentinel) {
    if (!path.empty() && !number(path, 10)) {
      return invalid(
          "behind the host and port stands something that is no database number "
          "(a / in a password is written %2F)",
          plain_form);
    }
    return query.empty() ? Status() : invalid("it takes no parameters", plain_form);
  }
  const auto master = decode(path);
  if (!master || master->empty() || path.find('/') != path.npos) {
    return invalid("the path is not the name that the Sentinels give the master", sentinel_form);
  }
  url->master = *master;
  return parse_query(query, url);
}

}  // namespace

Result<RedisUrl> RedisUrl::parse(std::string_view text) {
  const bool with_tls = text.starts_with("rediss");
  const bool sentinel = consume(&text, with_tls ? "rediss+sentinel://" : "redis+sentinel://");
  const char* form = sentinel ? sentinel_form : plain_form;
  if (!sentinel && !consume(&text, with_tls ? "rediss://" : "redis://")) {
    return Status(Error::invalid_argument,
                  std::string("Redis URL: what is valid: ") + plain_form + " or " + sentinel_form);
  }
  const size_t query_at = std::min(text.find('?'), text.size());
  const std::string_view query = text.substr(std::min(query_at + 1, text.size()));
  text = text.substr(0, query_at);
  const size_t path_at = std::min(text.find('/'), text.size());
  const std::string_view path = text.substr(std::min(path_at + 1, text.size()));
  text = text.substr(0, path_at);

  RedisUrl url;
  url.tls = with_tls;
  if (const size_t at = text.rfind('@'); at != text.npos) {
    const auto login = parse_login(text.substr(0, at));
    if (!login) return invalid("a % is not followed by two hex digits", form);
    url.login = *login;
    text = text.substr(at + 1);
  }
  for (const std::string_view part : split(text, ',')) {
    const auto host = parse_host(part, sentinel ? "26379" : "6379");
    if (!host) return invalid("no host with a port from 1 to 65535", form);
    url.hosts.push_back(*host);
  }
  if (!sentinel && url.hosts.size() > 1) return invalid("more than one host", form);
  if (Status status = parse_path(path, query, &url, sentinel); !status.ok()) return status;
  return url;
}

std::string RedisUrl::describe() const {
  std::string text = by_sentinel() ? "master " + master + " of " : "";
  for (size_t i = 0; i < hosts.size(); ++i) {
    if (i > 0) text += ',';
    text += backends::describe(hosts[i]);
  }
  return text;
}

std::string describe(const Host& host) {
  const bool v6 = host.host.find(':') != std::string::npos;
  return (v6 ? "[" + host.host + "]" : host.host) + ':' + host.port;
}

}  // namespace lattice::backends
