#include "proxy/trace_context.h"

#include <algorithm>

namespace lattice::proxy {
namespace {

constexpr size_t request_id_bytes_max = 128;
// version "-" trace-id "-" parent-id "-" flags
constexpr size_t version_at = 0, version_size = 2;
constexpr size_t trace_at = 3, trace_size = 32;
constexpr size_t span_at = 36, span_size = 16;
constexpr size_t flags_at = 53, flags_size = 2;
constexpr size_t traceparent_size = flags_at + flags_size;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c == '0'; });
}

}  // namespace

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= request_id_bytes_max &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

std::optional<TraceContext> parse_traceparent(std::string_view header) {
  if (header.size() < traceparent_size) return std::nullopt;
  const std::string_view version = header.substr(version_at, version_size);
  // Later versions may append fields, which we do not know.
  if (header.size() > traceparent_size && (version == "00" || header[traceparent_size] != '-')) {
    return std::nullopt;
  }
  if (header[trace_at - 1] != '-' || header[span_at - 1] != '-' || header[flags_at - 1] != '-') {
    return std::nullopt;
  }
  const TraceContext context{.trace_id = header.substr(trace_at, trace_size),
                             .span_id = header.substr(span_at, span_size),
                             .flags = header.substr(flags_at, flags_size)};
  const bool valid = is_hex(version) && version != "ff" && is_hex(context.trace_id) &&
                     is_hex(context.span_id) && is_hex(context.flags) &&
                     !is_zero(context.trace_id) && !is_zero(context.span_id);
  return valid ? std::optional(context) : std::nullopt;
}

}  // namespace lattice::proxy
