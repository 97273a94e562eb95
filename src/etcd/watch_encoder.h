// Deliveries to watches as wire messages. A thousand watches on one key get the same events one
// after the other: the encoded form of the last ones is kept. Thread: one loop; one encoder for all
// its watch streams.
#pragma once

#include <vector>

#include "absl/functional/function_ref.h"
#include "etcd/encode.h"
#include "replica/watch.h"

namespace lattice::etcd {

class WatchEncoder {
 public:
  struct Delivery {
    WatchId id;
    Revision revision;
    bool fragment = false;  // the watch asked for fragments
    const replica::WatchEvents& events;
  };
  // Hands over one message, or several if the watch asked for fragments and the events exceed
  // `fragment_bytes`: contiguous pieces, each but the last marked (etcd-v3.md 4.3).
  void encode(const Header& header, const Delivery& delivery, size_t fragment_bytes,
              absl::FunctionRef<void(ByteChain)> emit);

 private:
  const EncodedEvents& whole(const replica::WatchEvents& events);

  replica::WatchEvents last_;
  EncodedEvents last_encoded_;
};

}  // namespace lattice::etcd
