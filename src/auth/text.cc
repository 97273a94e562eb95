#include "auth/text.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/hex.h"

namespace lattice::auth {
namespace {

constexpr std::string_view digits = "0123456789ABCDEF";

void append_escaped(std::string_view bytes, std::string* out) {
  if (bytes.empty()) out->append(1, '%');
  for (const char c : bytes) {
    if (c > ' ' && c < '\x7f' && c != '%') {
      out->append(1, c);
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    out->append(1, '%').append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
  }
}

std::optional<std::string> unescape(std::string_view text) {
  std::string bytes;
  if (text == "%") return bytes;
  if (text.empty()) return std::nullopt;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes.append(1, text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const size_t high = digits.find(text[i + 1]);
    const size_t low = digits.find(text[i + 2]);
    if (high == digits.npos || low == digits.npos) return std::nullopt;
    bytes.append(1, static_cast<char>(high << 4 | low));
    i += 2;
  }
  return bytes;
}

// Cuts the next piece off the front of *rest; the separator goes, too.
std::string_view take(std::string_view* rest, char separator) {
  const size_t end = rest->find(separator);
  const std::string_view piece = rest->substr(0, end);
  *rest = end == rest->npos ? std::string_view() : rest->substr(end + 1);
  return piece;
}

constexpr std::string_view other_type = "type-";

std::string name_of(PermissionType type) {
  switch (type) {
    case PermissionType::read:
      return "read";
    case PermissionType::write:
      return "write";
    case PermissionType::readwrite:
      return "readwrite";
  }
  return std::string(other_type) + std::to_string(static_cast<int32_t>(type));
}

std::optional<PermissionType> type_of(std::string_view name) {
  for (const auto type : {PermissionType::read, PermissionType::write, PermissionType::readwrite}) {
    if (name_of(type) == name) return type;
  }
  if (!name.starts_with(other_type)) return std::nullopt;
  name.remove_prefix(other_type.size());
  int32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return static_cast<PermissionType>(number);
}

void append_roles(const std::vector<std::string>& roles, std::string* text) {
  for (const std::string& role : roles) {
    text->append(1, '\n');
    append_escaped(role, text);
  }
}

Status take_roles(std::string_view text, std::vector<std::string>* roles) {
  roles->clear();
  while (!text.empty()) {
    auto role = unescape(take(&text, '\n'));
    if (!role) return corrupt("a role that is no text");
    roles->push_back(std::move(*role));
  }
  if (!std::ranges::is_sorted(*roles)) return corrupt("roles out of order");
  return {};
}

}  // namespace

Status corrupt(const char* what) {
  return {Error::backend_corrupt, std::string("stored record: ") + what};
}

std::string to_text(const User& user) {
  std::string text;
  append_escaped(user.password_hash, &text);
  append_roles(user.roles, &text);
  return text;
}

std::string to_text(const Role& role) {
  std::string text;
  for (const Permission& permission : role.permissions) {
    if (!text.empty()) text.append(1, '\n');
    text.append(name_of(permission.type)).append(1, ' ');
    append_escaped(permission.key, &text);
    if (permission.end.empty()) continue;
    text.append(1, ' ');
    append_escaped(permission.end, &text);
  }
  return text;
}

std::string to_text(const ApiToken& token) {
  std::string text = to_hex(token.hash);
  text.append(1, '\n');
  append_escaped(token.user, &text);
  text.append(1, '\n');
  append_escaped(token.comment, &text);
  append_roles(token.roles, &text);
  return text;
}

Status from_text(std::string_view text, ApiToken* token) {
  token->hash = from_hex(take(&text, '\n'));
  auto user = unescape(take(&text, '\n'));
  auto comment = unescape(take(&text, '\n'));
  if (token->hash.size() != token_hash_bytes) return corrupt("a token without a hash");
  if (!user || user->empty() || !comment) return corrupt("a token without a user or comment");
  token->user = std::move(*user);
  token->comment = std::move(*comment);
  return take_roles(text, &token->roles);
}

Status from_text(std::string_view text, User* user) {
  auto hash = unescape(take(&text, '\n'));
  if (!hash) return corrupt("a user without a password's hash");
  user->password_hash = std::move(*hash);
  return take_roles(text, &user->roles);
}

Status from_text(std::string_view text, Role* role) {
  role->permissions.clear();
  while (!text.empty()) {
    std::string_view line = take(&text, '\n');
    const auto type = type_of(take(&line, ' '));
    auto key = unescape(take(&line, ' '));
    std::optional<std::string> end = line.empty() ? std::string() : unescape(line);
    if (!type || !key || !end) return corrupt("a role with a permission that is none");
    role->permissions.push_back({*type, std::move(*key), std::move(*end)});
  }
  return {};
}

}  // namespace lattice::auth
