// The header block of one HTTP/2 request: names and values in one arena that the pooled stream
// keeps, so that a call allocates nothing for its headers. Thread: the connection's loop. Views are
// valid until clear().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/call.h"

namespace lattice::proxy {

class RequestHead {
 public:
  enum class Outcome : uint8_t { ok, too_large };

  explicit RequestHead(size_t list_bytes_max) : list_bytes_max_(list_bytes_max) {}
  // Requires: a lower-case name, as HTTP/2 demands.
  Outcome add(std::string_view name, std::string_view value);
  void clear();

  std::string_view method() const { return view(method_); }
  std::string_view path() const { return view(path_); }
  std::string_view authority() const { return view(authority_); }
  std::string_view content_type() const { return view(content_type_); }
  std::string_view grpc_timeout() const { return view(grpc_timeout_); }
  std::string_view grpc_encoding() const { return view(grpc_encoding_); }
  std::string_view request_id() const { return view(request_id_); }
  std::string_view traceparent() const { return view(traceparent_); }
  // The first value of a regular header, undecoded; empty if there is none.
  std::string_view find(std::string_view name) const;
  // What a gRPC service sees: without the headers that gRPC itself uses, binary values decoded.
  // False when one of those is not base64; its name and value are then left in `malformed`.
  bool grpc_metadata(Metadata* metadata, std::pair<std::string, std::string>* malformed) const;
  // All regular headers as they came.
  Metadata all() const;
  bool has_binary() const { return has_binary_; }

 private:
  struct Span {
    uint32_t offset = 0;
    uint32_t size = 0;
  };
  struct Field {
    Span name;
    Span value;
  };
  Span store(std::string_view text);
  std::string_view view(Span span) const { return {text_.data() + span.offset, span.size}; }
  void remember(std::string_view name, Span value);

  size_t list_bytes_max_;
  size_t list_bytes_ = 0;
  std::string text_;
  std::vector<Field> fields_;
  Span method_, path_, authority_, content_type_, grpc_timeout_, grpc_encoding_, request_id_,
      traceparent_;
  bool has_binary_ = false;
};

// Whether the transport keeps this header to itself (grpc-go's reserved headers, and HTTP's own).
bool is_transport_header(std::string_view name);

}  // namespace lattice::proxy
