// The machine-readable half of a refusal, byte for byte.
#include "etcd/retry_info.h"

#include <doctest/doctest.h>

#include "base/hex.h"

namespace lattice::etcd {
namespace {

TEST_CASE("retry details are a google.rpc.Status with RetryInfo and QuotaFailure") {
  const proxy::GrpcStatus status{proxy::GrpcCode::resource_exhausted, "too many"};
  CHECK(to_hex(retry_details(status, std::chrono::milliseconds(2500))) ==
        "08081208746f6f206d616e791a360a28747970652e676f6f676c65617069732e636f6d2f676f6f676c652e7270"
        "632e5265747279496e666f120a0a0808021080cab5ee011a430a2b747970652e676f6f676c65617069732e636f"
        "6d2f676f6f676c652e7270632e51756f74614661696c75726512140a120a0674656e616e741208746f6f206d61"
        "6e79");
}

}  // namespace
}  // namespace lattice::etcd
