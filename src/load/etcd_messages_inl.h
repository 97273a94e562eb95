// The decoders of etcd_messages.h that take a callback.
#pragma once

#include "load/etcd_messages.h"
#include "load/wire.h"

namespace lattice::load {

template <class OnKv>
bool decode_range(std::string_view message, RangeAnswer& answer, OnKv&& on_kv) {
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    switch (field.number) {
      case 1:
        // decode_revision reads field 1 of a whole response, so it gets the response.
        if (!decode_revision(message, answer.revision)) return false;
        break;
      case 2:
        on_kv(answer.kvs, field.bytes);
        ++answer.kvs;
        break;
      case 3:
        answer.more = field.varint != 0;
        break;
      case 4:
        answer.count = static_cast<int64_t>(field.varint);
        break;
      default:
        break;
    }
  }
  return !reader.failed();
}

template <class OnEvent>
bool decode_watch(std::string_view message, WatchAnswer& answer, OnEvent&& on_event) {
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    switch (field.number) {
      case 2:
        answer.watch_id = static_cast<int64_t>(field.varint);
        break;
      case 3:
        answer.created = field.varint != 0;
        break;
      case 4:
        answer.canceled = field.varint != 0;
        break;
      case 11: {
        uint64_t type = 0;
        std::string_view kv;
        WireReader event(field.bytes);
        WireField part;
        while (event.next(part)) {
          if (part.number == 1) type = part.varint;
          if (part.number == 2) kv = part.bytes;
        }
        if (event.failed()) return false;
        on_event(type, kv);
        ++answer.events;
        break;
      }
      default:
        break;
    }
  }
  return !reader.failed();
}

}  // namespace lattice::load
