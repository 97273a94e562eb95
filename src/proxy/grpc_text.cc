#include "proxy/grpc_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "proxy/ascii.h"

namespace lattice::proxy {
namespace {

constexpr char hex_upper[] = "0123456789ABCDEF";
constexpr char hex_lower[] = "0123456789abcdef";
constexpr char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr std::array<int8_t, 256> base64_values() {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (int i = 0; i < 64; ++i)
    values[static_cast<uint8_t>(base64_digits[i])] = static_cast<int8_t>(i);
  return values;
}

std::optional<int64_t> unit_nanoseconds(char unit) {
  switch (unit) {
    case 'H':
      return 3'600'000'000'000;
    case 'M':
      return 60'000'000'000;
    case 'S':
      return 1'000'000'000;
    case 'm':
      return 1'000'000;
    case 'u':
      return 1'000;
    case 'n':
      return 1;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string percent_encode(std::string_view message) {
  std::string out;
  out.reserve(message.size());
  for (const char c : message) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x20 && byte <= 0x7e && c != '%') {
      out += c;
    } else {
      out += {'%', hex_upper[byte >> 4], hex_upper[byte & 15]};
    }
  }
  return out;
}

std::string percent_decode(std::string_view encoded) {
  std::string out;
  out.reserve(encoded.size());
  for (size_t i = 0; i < encoded.size(); ++i) {
    const bool escape = encoded[i] == '%' && i + 2 < encoded.size() &&
                        hex_value(encoded[i + 1]) >= 0 && hex_value(encoded[i + 2]) >= 0;
    if (escape) {
      out += static_cast<char>(hex_value(encoded[i + 1]) * 16 + hex_value(encoded[i + 2]));
      i += 2;
    } else {
      out += encoded[i];
    }
  }
  return out;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte >= 0x20 && byte <= 0x7e) {
      out += c;
    } else {
      out += {'\\', 'x', hex_lower[byte >> 4], hex_lower[byte & 15]};
    }
  }
  return out + '"';
}

bool is_grpc_content_type(std::string_view content_type) {
  constexpr std::string_view grpc_type = "application/grpc";
  if (!starts_ignoring_case(content_type, grpc_type)) return false;
  if (content_type.size() == grpc_type.size()) return true;
  const char next = content_type[grpc_type.size()];
  return next == '+' || next == ';';
}

std::optional<std::string> decode_base64(std::string_view text) {
  static constexpr std::array<int8_t, 256> value_of_digit = base64_values();
  if (text.size() % 4 == 0 && text.ends_with('=')) text.remove_suffix(text.ends_with("==") ? 2 : 1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int8_t value = value_of_digit[static_cast<uint8_t>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count);
    }
  }
  return out;
}

std::string encode_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    count += 8;
    for (; count >= 6; count -= 6) out += base64_digits[bits >> (count - 6) & 63];
  }
  if (count > 0) out += base64_digits[bits << (6 - count) & 63];
  while (out.size() % 4 != 0) out += '=';
  return out;
}

GrpcTimeout parse_grpc_timeout(std::string_view text) {
  if (text.size() < 2) return {{}, "transport: timeout string is too short: " + quoted(text)};
  if (text.size() > 9) return {{}, "transport: timeout string is too long: " + quoted(text)};
  const std::optional<int64_t> unit = unit_nanoseconds(text.back());
  if (!unit) return {{}, "transport: timeout unit is not recognized: " + quoted(text)};
  int64_t value = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') {
      return {{},
              "strconv.ParseUint: parsing " + quoted(text.substr(0, text.size() - 1)) +
                  ": invalid syntax"};
    }
    value = value * 10 + (c - '0');
  }
  if (value > INT64_MAX / *unit) return {Duration::max(), {}};
  return {Duration(value * *unit), {}};
}

std::string format_grpc_timeout(Duration timeout) {
  struct Unit {
    char name;
    int64_t next;  // how many of them make one of the next
  };
  constexpr Unit units[] = {{'n', 1000}, {'u', 1000}, {'m', 1000}, {'S', 60}, {'M', 60}};
  constexpr int64_t digits_max = 99'999'999;
  int64_t value = std::max<int64_t>(timeout.count(), 0);
  for (const Unit& unit : units) {
    if (value <= digits_max) return std::to_string(value) + unit.name;
    value = value / unit.next + (value % unit.next != 0 ? 1 : 0);
  }
  return std::to_string(std::min(value, digits_max)) + 'H';
}

}  // namespace lattice::proxy
