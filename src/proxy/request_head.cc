#include "proxy/request_head.h"

#include "proxy/grpc_text.h"

namespace lattice::proxy {
namespace {

// RFC 9113 6.5.2: what a header counts towards the size of its list beyond its bytes.
constexpr size_t field_overhead = 32;
// A pooled stream keeps at most this much of its arena.
constexpr size_t kept_bytes = 4 << 10;

}  // namespace

bool is_transport_header(std::string_view name) {
  switch (name.size()) {
    case 2:
      return name == "te";
    case 11:
      return name == "grpc-status";
    case 12:
      return name == "content-type" || name == "grpc-timeout" || name == "grpc-message";
    case 13:
      return name == "grpc-encoding";
    case 14:
      return name == "content-length";
    case 17:
      return name == "grpc-message-type";
    case 20:
      return name == "grpc-accept-encoding";
    default:
      return false;
  }
}

RequestHead::Outcome RequestHead::add(std::string_view name, std::string_view value) {
  list_bytes_ += name.size() + value.size() + field_overhead;
  if (list_bytes_ > list_bytes_max_) return Outcome::too_large;
  if (name.starts_with(':')) {
    if (name == ":path") path_ = store(value);
    if (name == ":method") method_ = store(value);
    if (name == ":authority") authority_ = store(value);
    return Outcome::ok;
  }
  const Span stored_name = store(name);
  const Span stored_value = store(value);
  fields_.push_back({stored_name, stored_value});
  remember(name, stored_value);
  return Outcome::ok;
}

void RequestHead::remember(std::string_view name, Span value) {
  if (name == "content-type") {
    content_type_ = value;
  } else if (name == "grpc-timeout") {
    grpc_timeout_ = value;
  } else if (name == "grpc-encoding") {
    grpc_encoding_ = value;
  } else if (name == "x-request-id") {
    request_id_ = value;
  } else if (name == "traceparent") {
    traceparent_ = value;
  } else if (name.ends_with("-bin")) {
    has_binary_ = true;
  }
}

RequestHead::Span RequestHead::store(std::string_view text) {
  const Span span{static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(text.size())};
  text_.append(text);
  return span;
}

void RequestHead::clear() {
  list_bytes_ = 0;
  if (text_.capacity() > kept_bytes) text_ = std::string();
  text_.clear();
  fields_.clear();
  method_ = path_ = authority_ = content_type_ = grpc_timeout_ = grpc_encoding_ = request_id_ =
      traceparent_ = {};
  has_binary_ = false;
}

std::string_view RequestHead::find(std::string_view name) const {
  for (const Field& field : fields_) {
    if (view(field.name) == name) return view(field.value);
  }
  return {};
}

bool RequestHead::grpc_metadata(Metadata* metadata,
                                std::pair<std::string, std::string>* malformed) const {
  for (const Field& field : fields_) {
    const std::string_view name = view(field.name);
    if (is_transport_header(name)) continue;
    if (!name.ends_with("-bin")) {
      metadata->emplace_back(name, view(field.value));
      continue;
    }
    std::optional<std::string> decoded = decode_base64(view(field.value));
    if (!decoded) {
      *malformed = {std::string(name), std::string(view(field.value))};
      return false;
    }
    metadata->emplace_back(name, *std::move(decoded));
  }
  return true;
}

Metadata RequestHead::all() const {
  Metadata headers;
  headers.reserve(fields_.size());
  for (const Field& field : fields_) headers.emplace_back(view(field.name), view(field.value));
  return headers;
}

}  // namespace lattice::proxy
