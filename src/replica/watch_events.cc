#include "replica/watch_events.h"

#include <memory>
#include <utility>

namespace lattice::replica {

size_t encoded_size(const std::vector<WatchEvent>& events) {
  size_t bytes = 0;
  for (const WatchEvent& event : events) {
    bytes += event.kv->encoded_view().size();
    if (event.prev) bytes += event.prev->encoded_view().size();
  }
  return bytes;
}

const SharedEvents& EventLists::get(const std::vector<uint32_t>& picked, bool prev_kv) {
  SharedEvents& list = lists_[prev_kv ? 1 : 0][picked];
  if (list.events == nullptr) list = build(picked, prev_kv);
  return list;
}

const SharedEvents& EventLists::get_only(bool prev_kv) {
  SharedEvents& list = only_[prev_kv ? 1 : 0];
  constexpr uint32_t first = 0;
  if (list.events == nullptr) list = build({&first, 1}, prev_kv);
  return list;
}

SharedEvents EventLists::build(std::span<const uint32_t> picked, bool prev_kv) const {
  auto events = std::make_shared<std::vector<WatchEvent>>();
  events->reserve(picked.size());
  for (const uint32_t index : picked) {
    const keyspace::KvRef& version = versions_[index];
    events->push_back({version, prev_kv ? keyspace_.previous(*version) : keyspace::KvRef()});
  }
  const size_t bytes = encoded_size(*events);
  return {std::move(events), bytes};
}

}  // namespace lattice::replica
