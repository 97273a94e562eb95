// Watch responses. A delivery's events are encoded once; each watch adds its header and id in
// front.
#include "etcd/chain_writer.h"
#include "etcd/encode.h"

namespace lattice::etcd {
namespace {

using replica::WatchEvent;

constexpr uint32_t events_field = 11;

struct Sizes {
  size_t copied = 0;
  size_t spliced = 0;
};

// The body of one mvccpb.Event, and which part of it is copied.
size_t event_size(const WatchEvent& event, Sizes* sizes) {
  size_t total = event.kv->tombstone() ? number_field_size(1) : 0;
  sizes->copied += total;
  size_t kv = event.kv->encoded_as_field_2_view().size();
  (kv < splice_bytes_min ? sizes->copied : sizes->spliced) += kv;
  total += kv;
  if (event.prev) {
    size_t prev = event.prev->encoded_view().size();
    sizes->copied += 1 + varint_size(prev);
    (prev < splice_bytes_min ? sizes->copied : sizes->spliced) += prev;
    total += 1 + varint_size(prev) + prev;
  }
  return total;
}

void write_event(const WatchEvent& event, ChainWriter* out) {
  out->boolean(1, event.kv->tombstone());
  std::string_view kv = event.kv->encoded_as_field_2_view();
  kv.size() < splice_bytes_min ? out->copy(kv) : out->splice(event.kv->encoded_as_field_2());
  if (!event.prev) return;
  std::string_view prev = event.prev->encoded_view();
  out->length_prefix(3, prev.size());
  prev.size() < splice_bytes_min ? out->copy(prev) : out->splice(event.prev->encoded());
}

}  // namespace

EncodedEvents encode_events(const WatchEvent* events, size_t count) {
  Sizes sizes;
  for (size_t i = 0; i < count; ++i) {
    size_t size = event_size(events[i], &sizes);
    sizes.copied += 1 + varint_size(size);
  }
  ChainWriter out(sizes.copied);
  for (size_t i = 0; i < count; ++i) {
    Sizes ignored;
    out.length_prefix(events_field, event_size(events[i], &ignored));
    write_event(events[i], &out);
  }
  return {out.finish()};
}

ByteChain encode(const Header& header, const WatchMessage& message) {
  size_t head = length_delimited_size(header_size(header, message.revision)) +
                number_field_size(static_cast<uint64_t>(message.id.value)) +
                number_field_size(message.created) + number_field_size(message.canceled) +
                number_field_size(message.fragment) +
                number_field_size(static_cast<uint64_t>(message.compact_revision.value));
  if (!message.cancel_reason.empty()) {
    head += length_delimited_size(message.cancel_reason.size());
  }
  // Events that fit into one small piece travel in the same block as the head.
  const ByteChain* events = message.events == nullptr ? nullptr : &message.events->body;
  bool copy_events = events != nullptr && events->size() < splice_bytes_min;
  ChainWriter out(head + (copy_events ? events->size() : 0));
  out.length_prefix(1, header_size(header, message.revision));
  out.copy(header.identity.header_prefix());
  out.number(3, static_cast<uint64_t>(message.revision.value));
  out.number(4, header.raft_term);
  out.number(2, static_cast<uint64_t>(message.id.value));
  out.boolean(3, message.created);
  out.boolean(4, message.canceled);
  out.number(5, static_cast<uint64_t>(message.compact_revision.value));
  if (!message.cancel_reason.empty()) {
    out.length_prefix(6, message.cancel_reason.size());
    out.copy(message.cancel_reason);
  }
  out.boolean(7, message.fragment);
  if (events == nullptr) return out.finish();
  if (!copy_events) {
    ByteChain chain = out.finish();
    for (const Bytes& part : events->parts()) chain.append(part);
    return chain;
  }
  for (const Bytes& part : events->parts()) out.copy(part.view());
  return out.finish();
}

}  // namespace lattice::etcd
