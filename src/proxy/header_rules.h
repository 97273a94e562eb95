// What RFC 9113 section 8 demands of the header block of a request, one header at a time. nghttp2
// could check that, too, but it resets streams whose :authority is no host, and etcd's older
// clients send such ones: "http://127.0.0.1:2379", or "#initially=[...]". grpc-go takes any.
// Thread: the connection's loop. Ownership: a value; one per session, as blocks do not interleave.
#pragma once

#include <cstdint>
#include <string_view>

namespace lattice::proxy {

class HeaderRules {
 public:
  // Before each header block.
  void begin() { *this = {}; }
  // False: the request is malformed.
  bool accepts(std::string_view name, std::string_view value);
  // Whether a block that has ended names all that a request must.
  bool complete() const;

 private:
  bool accepts_pseudo(std::string_view name);

  uint32_t seen_ = 0;     // one bit for each pseudo-header
  bool regular_ = false;  // a regular header came; no pseudo-header may follow
};

}  // namespace lattice::proxy
