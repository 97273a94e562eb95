#include "backends/common/tenants.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace lattice::backends {
namespace {

constexpr std::pair<TenantState, std::string_view> states[] = {
    {TenantState::active, "active"}, {TenantState::removing, "removing"},
    {TenantState::moving, "moving"}, {TenantState::sealing, "sealing"},
    {TenantState::moved, "moved"},   {TenantState::arriving, "arriving"}};

}  // namespace

std::string_view state_to_text(TenantState state) {
  return std::ranges::find(states, state, [](const auto& each) { return each.first; })->second;
}

TenantState state_from_text(std::string_view text) {
  for (const auto& [state, name] : states) {
    if (name == text) return state;
  }
  return TenantState::removing;
}

std::string_view TenantRow::plain_name() const {
  const std::string_view whole = name;
  return whole.starts_with('~') ? whole.substr(whole.find('~', 1) + 1) : whole;
}

std::string limits_to_text(const TenantLimitValues& limits) {
  std::string text;
  for (const auto& [name, value] : limits) {
    if (!text.empty()) text += ' ';
    text += name + "=" + std::to_string(value);
  }
  return text;
}

std::optional<TenantLimitValues> limits_from_text(std::string_view text) {
  TenantLimitValues limits;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t equals = part.find('=');
    if (equals == part.npos || equals == 0) return std::nullopt;
    const std::string_view digits = part.substr(equals + 1);
    int64_t value = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || stop != digits.data() + digits.size()) return std::nullopt;
    if (!limits.emplace(part.substr(0, equals), value).second) return std::nullopt;
  }
  return limits;
}

}  // namespace lattice::backends
