// Messages of the generated classes, from bytes and to bytes: for all that is not asked for often
// enough to be worth a hand-written codec (decode.h, encode.h).
// Thread: pure functions.
#pragma once

#include <string_view>

#include "base/bytes.h"

namespace lattice::etcd {

// False if the bytes are no such message.
template <class Message>
bool parse_message(std::string_view bytes, Message* message) {
  return message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

template <class Message>
Bytes serialize_message(const Message& message) {
  char* data = nullptr;
  Bytes bytes = Bytes::allocate(message.ByteSizeLong(), &data);
  message.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(data));
  return bytes;
}

}  // namespace lattice::etcd
