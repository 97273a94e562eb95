#include "config/option.h"

#include <algorithm>
#include <charconv>

namespace lattice::config {
namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

template <class Int>
std::optional<Int> parse_integer(std::string_view text) {
  Int value{};
  const auto end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return value;
}

std::string shown(const Option& option, const Value& value) {
  return option.secret ? "a value that is not shown" : to_toml(value);
}

}  // namespace

std::string_view section_of(std::string_view key) {
  const size_t dot = key.rfind('.');
  return dot == key.npos ? std::string_view() : key.substr(0, dot);
}

std::string_view name_of(std::string_view key) {
  const size_t dot = key.rfind('.');
  return dot == key.npos ? key : key.substr(dot + 1);
}

std::string environment_name(std::string_view key) {
  std::string name = "LATTICE_";
  for (const char c : key) {
    name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return name;
}

std::string expectation(const Option& option) {
  switch (option.kind) {
    case Kind::boolean:
      return "true or false";
    case Kind::integer:
      return "an integer from " + std::to_string(option.min) + " to " + std::to_string(option.max) +
             (option.auto_zero ? ", or \"auto\"" : "");
    case Kind::text:
      return "a string";
    case Kind::choice: {
      std::string list;
      for (const std::string& choice : split(option.choices, '|')) {
        list += (list.empty() ? "one of " : ", ") + quoted(choice);
      }
      return list;
    }
    case Kind::address:
      return "an address such as \"127.0.0.1:2379\" or \"[::1]:2379\"";
    case Kind::texts:
      return "a list of strings";
  }
  return {};
}

Parsed parse_text(const Option& option, std::string_view text) {
  switch (option.kind) {
    case Kind::boolean:
      if (text == "true" || text == "1") return {Value(true), {}};
      if (text == "false" || text == "0") return {Value(false), {}};
      break;
    case Kind::integer:
      if (option.auto_zero && text == "auto") return {Value(int64_t{0}), {}};
      if (const auto number = parse_integer<int64_t>(text)) return {Value(*number), {}};
      break;
    case Kind::texts:
      return {Value(split(text, ',')), {}};
    case Kind::text:
    case Kind::choice:
    case Kind::address:
      return {Value(std::string(text)), {}};
  }
  return {std::nullopt,
          "expected " + expectation(option) + ", got " + shown(option, Value(std::string(text)))};
}

Parsed check_value(const Option& option, Value value) {
  const auto refuse = [&](const std::string& why) { return Parsed{std::nullopt, why}; };
  if (const auto* number = std::get_if<int64_t>(&value)) {
    const bool is_auto = option.auto_zero && *number == 0;
    if (!is_auto && (*number < option.min || *number > option.max)) {
      return refuse("expected " + expectation(option) + ", got " + std::to_string(*number));
    }
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    const auto choices = split(option.choices, '|');
    const bool bad_choice = option.kind == Kind::choice &&
                            std::find(choices.begin(), choices.end(), *text) == choices.end();
    if (bad_choice || (option.kind == Kind::address && !parse_address(*text))) {
      return refuse("expected " + expectation(option) + ", got " + shown(option, value));
    }
  }
  return {std::move(value), {}};
}

std::string to_toml(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    std::string out = "[";
    for (const std::string& item : *list) {
      out += (out.size() > 1 ? ", " : "") + to_toml(Value(item));
    }
    return out + "]";
  }
  std::string out = "\"";
  for (const char c : std::get<std::string>(value)) {
    constexpr std::string_view hex = "0123456789ABCDEF";
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += hex[byte >> 4];
      out += hex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::optional<Address> parse_address(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos || colon == 0) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const auto port = parse_integer<uint16_t>(text.substr(colon + 1));
  if (!port) return std::nullopt;
  if (host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return std::nullopt;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != host.npos) {
    return std::nullopt;
  }
  for (const char c : host) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte <= ' ' || byte >= 0x7f || c == '/' || c == '[' || c == ']') return std::nullopt;
  }
  return Address{std::string(host), *port};
}

}  // namespace lattice::config
