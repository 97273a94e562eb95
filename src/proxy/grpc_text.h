// The small text formats of gRPC over HTTP/2: status messages, binary metadata, content types,
// timeouts. Thread: any (pure).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace lattice::proxy {

// grpc-message: printable ASCII but '%' stays, every other byte becomes %XX.
std::string percent_encode(std::string_view message);
std::string percent_decode(std::string_view encoded);

// Go's %q for what arrives in headers: quoted, with control and non-ASCII bytes escaped.
std::string quoted(std::string_view text);

// "application/grpc", also with "+subtype" or ";parameters"; in any case.
bool is_grpc_content_type(std::string_view content_type);

// Standard or URL alphabet is not told apart by peers: the standard one, padded or not.
std::optional<std::string> decode_base64(std::string_view text);
std::string encode_base64(std::string_view bytes);

struct GrpcTimeout {
  Duration value{};
  std::string error;  // not empty: the header is malformed, in grpc-go's words
};
// The value of grpc-timeout: up to eight digits and a unit (H M S m u n). Values beyond the range
// of Duration are its maximum.
GrpcTimeout parse_grpc_timeout(std::string_view text);
// The other way, rounded up to what eight digits can say.
std::string format_grpc_timeout(Duration timeout);

}  // namespace lattice::proxy
