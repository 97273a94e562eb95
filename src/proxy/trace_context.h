// What a request says of itself for those who read logs: its id (x-request-id) and its place in a
// trace (W3C traceparent). Both come from the client, so both are checked before they go anywhere.
// Thread: pure functions.
#pragma once

#include <optional>
#include <string_view>

namespace lattice::proxy {

// 1 to 128 visible ASCII characters.
bool is_request_id(std::string_view text);

// Views into the header.
struct TraceContext {
  std::string_view trace_id;  // 32 hexadecimal digits, not all 0
  std::string_view span_id;   // 16, likewise: the caller's span
  std::string_view flags;     // 2
};
// None for anything that the W3C recommendation calls invalid.
std::optional<TraceContext> parse_traceparent(std::string_view header);

}  // namespace lattice::proxy
