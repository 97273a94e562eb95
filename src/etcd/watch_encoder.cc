#include "etcd/watch_encoder.h"

namespace lattice::etcd {

using replica::WatchEvent;

const EncodedEvents& WatchEncoder::whole(const replica::WatchEvents& events) {
  if (last_ != events) {
    last_encoded_ = encode_events(events->data(), events->size());
    last_ = events;
  }
  return last_encoded_;
}

void WatchEncoder::encode(const Header& header, const Delivery& delivery, size_t fragment_bytes,
                          absl::FunctionRef<void(ByteChain)> emit) {
  WatchMessage message{.revision = delivery.revision, .id = delivery.id};
  const EncodedEvents& all = whole(delivery.events);
  const std::vector<WatchEvent>& events = *delivery.events;
  if (!delivery.fragment || events.size() < 2 || all.body.size() < fragment_bytes) {
    message.events = &all;
    return emit(lattice::etcd::encode(header, message));
  }
  size_t first = 0;
  EncodedEvents piece;
  for (size_t i = 0; i < events.size(); ++i) {
    EncodedEvents one = encode_events(&events[i], 1);
    if (i > first && piece.body.size() + one.body.size() >= fragment_bytes) {
      message.fragment = true;
      message.events = &piece;
      emit(lattice::etcd::encode(header, message));
      piece = {};
      first = i;
    }
    piece.body.append(std::move(one.body));
  }
  message.fragment = false;
  message.events = &piece;
  emit(lattice::etcd::encode(header, message));
}

}  // namespace lattice::etcd
