#include "load/watch_stream.h"

#include "load/clock.h"
#include "load/etcd_messages.h"

namespace lattice::load {

void WatchStream::start(Connection& connection, const std::vector<uint64_t>& key_numbers) {
  std::string body;
  for (const uint64_t number : key_numbers) encode_watch_create(body, keys_.key(number));
  watches_.resize(key_numbers.size() + 1);
  connection.start(*this, watch_path, std::move(body), true);
}

WatchStream::Watch* WatchStream::watch_of(int64_t id) {
  const auto index = static_cast<uint64_t>(id);
  return index < watches_.size() ? &watches_[index] : nullptr;
}

void WatchStream::on_message(std::string_view message) {
  const uint64_t now = now_ns();
  WatchAnswer answer;
  Watch* watch = nullptr;
  const bool decoded =
      decode_watch(message, answer, [&](uint64_t type, std::string_view key_value) {
        if (watch == nullptr) watch = watch_of(answer.watch_id);
        if (watch == nullptr) return sink_.on_wrong("an event of an unknown watch");
        if (type != 0) return sink_.on_wrong("an event that is not a put");
        on_put(*watch, key_value, now);
      });
  if (!decoded) return sink_.on_wrong("a watch response does not decode");
  if (answer.canceled) return sink_.on_wrong("a watch was cancelled");
  if (answer.created) sink_.on_created();
}

void WatchStream::on_put(Watch& watch, std::string_view bytes, uint64_t now) {
  KeyValue kv;
  ValueHead head;
  if (!decode_key_value(bytes, kv) || !read_value_head(kv.value, head)) {
    return sink_.on_wrong("an event does not decode");
  }
  if (kv.mod_revision <= watch.last_revision) {
    sink_.on_wrong("an event out of order, or twice");
  }
  watch.last_revision = kv.mod_revision;
  if (watch.seen && head.number != watch.key_number) {
    sink_.on_wrong("an event of a key that is not watched");
  }
  watch.seen = true;
  watch.key_number = head.number;
  if (++events_ % sample_every_ == 0 && !keys_.matches(kv.key, kv.value, head.number)) {
    sink_.on_wrong("an event with a wrong key or value");
  }
  sink_.on_event(head, now);
}

void WatchStream::on_end(int grpc_status, std::string_view grpc_message) {
  sink_.on_wrong("a watch stream ended with grpc-status " + std::to_string(grpc_status) + ": " +
                 std::string(grpc_message));
}

}  // namespace lattice::load
