#include "proxy/header_rules.h"

#include <nghttp2/nghttp2.h>

#include <array>

namespace lattice::proxy {
namespace {

constexpr std::array<std::string_view, 4> pseudo = {":method", ":scheme", ":path", ":authority"};
constexpr uint32_t required = 0b0111;  // all but :authority

// Those of HTTP/1.1 connections, which HTTP/2 forbids.
constexpr std::array<std::string_view, 5> connection = {
    "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"};

const uint8_t* octets(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

}  // namespace

bool HeaderRules::accepts(std::string_view name, std::string_view value) {
  if (nghttp2_check_header_name(octets(name), name.size()) == 0) return false;
  if (nghttp2_check_header_value_rfc9113(octets(value), value.size()) == 0) return false;
  if (name.front() == ':') return accepts_pseudo(name);
  regular_ = true;
  if (name == "te") return value == "trailers";
  for (std::string_view forbidden : connection) {
    if (name == forbidden) return false;
  }
  return true;
}

bool HeaderRules::accepts_pseudo(std::string_view name) {
  if (regular_) return false;
  for (size_t i = 0; i < pseudo.size(); ++i) {
    if (name != pseudo[i]) continue;
    const uint32_t bit = 1U << i;
    const bool again = (seen_ & bit) != 0;
    seen_ |= bit;
    return !again;
  }
  return false;
}

bool HeaderRules::complete() const { return (seen_ & required) == required; }

}  // namespace lattice::proxy
