#include "etcd/http_reply.h"

#include <cstdio>

#include "etcd/utf8.h"

namespace lattice::etcd {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
               hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

proxy::HttpResponse plain_error(int status, std::string text) {
  return {status,
          {{"content-type", "text/plain; charset=utf-8"}, {"x-content-type-options", "nosniff"}},
          std::move(text) + "\n"};
}

proxy::HttpResponse method_not_allowed() {
  proxy::HttpResponse response = plain_error(405, "Method Not Allowed");
  response.headers.emplace_back("allow", "GET");
  return response;
}

std::vector<std::string> query_values(std::string_view query, std::string_view name) {
  std::vector<std::string> values;
  while (!query.empty()) {
    size_t end = query.find('&');
    std::string_view part = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    size_t equals = part.find('=');
    if (percent_decode(part.substr(0, equals)) != name) continue;
    values.push_back(equals == std::string_view::npos ? std::string()
                                                      : percent_decode(part.substr(equals + 1)));
  }
  return values;
}

std::string json_escape(std::string_view text) {
  bool valid = is_utf8(text);
  std::string out;
  for (char c : text) {
    auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || (byte >= 0x80 && !valid)) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", byte);
      out += escaped;
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace lattice::etcd
