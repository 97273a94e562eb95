// Any bytes: the decoder of range requests and the generated parser agree, and nothing crashes.
#include "etcd/decode_duel.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!lattice::etcd::testing::range_disagreement(bytes).empty()) std::abort();
  return 0;
}
