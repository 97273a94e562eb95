#include "replica/watch_hub.h"

#include <chrono>
#include <utility>

#include "replica/hub_stream.h"

namespace lattice::replica {
namespace {
// A lagging watch that this many events have passed by leaves the index.
constexpr int skipped_max = 32;
}  // namespace

using keyspace::KvRef;

WatchHub::~WatchHub() {
  for (const auto& [number, stream] : streams_) stream->detach();
}

std::unique_ptr<WatchStream> WatchHub::open(WatchSink& sink) {
  auto stream = std::make_unique<HubStream>(*this, ++last_stream_, sink);
  streams_.emplace(last_stream_, stream.get());
  count();
  return stream;
}

void WatchHub::on_leading() {
  delivered_ = state_.keyspace.visible_revision();
  leading_ = true;
}

void WatchHub::on_stepped_down(const Status& status) {
  leading_ = false;
  catch_up_timer_.reset();
  // Closing one takes it out, and may destroy others.
  while (!streams_.empty()) streams_.begin()->second->close(status);
}

// ---- For HubStream ----

void WatchHub::call_later(HubStream& stream) { waiting_streams_[stream.number()] = &stream; }

void WatchHub::add(HubStream& stream, WatchId id, WatchCreate spec, Token* token) {
  auto watcher = std::make_unique<Watcher>();
  watcher->stream = &stream;
  watcher->id = id;
  watcher->token = *token = ++last_token_;
  watcher->next = spec.start_revision == Revision(0) ? delivered_ + 1 : spec.start_revision;
  watcher->spec = std::move(spec);
  if (watcher->next > delivered_) {
    index_.add(watcher->token, watcher->spec.range);
    watcher->indexed = true;
  } else {
    watcher->lagging = true;
    ++slow_;
    queue_lagging(*watcher);
    schedule_catch_up();
  }
  watchers_.emplace(watcher->token, std::move(watcher));
  count();
}

void WatchHub::remove(Token token) {
  const auto at = watchers_.find(token);
  if (at == watchers_.end()) return;
  unindex(*at->second);
  if (at->second->lagging) --slow_;
  watchers_.erase(at);
  count();
}

Watcher* WatchHub::find(Token token) {
  const auto at = watchers_.find(token);
  return at == watchers_.end() ? nullptr : at->second.get();
}

void WatchHub::forget(HubStream& stream) {
  streams_.erase(stream.number());
  waiting_streams_.erase(stream.number());
  count();
}

void WatchHub::unindex(Watcher& watcher) {
  if (!watcher.indexed) return;
  index_.remove(watcher.token, watcher.spec.range);
  watcher.indexed = false;
}

void WatchHub::count() { state_.observer.on_watches({streams_.size(), watchers_.size(), slow_}); }

// ---- Live ----

void WatchHub::distribute() {
  const Revision visible = state_.keyspace.visible_revision();
  if (visible <= delivered_) return;
  if (!leading_ || index_.size() == 0) {
    delivered_ = visible;
    return;
  }
  std::vector<KvRef> versions = std::exchange(versions_, {});
  versions.clear();
  state_.keyspace.visit_history(delivered_ + 1, [&](const KvRef& version) {
    versions.push_back(version);
    return true;
  });
  busy_ = true;
  for (size_t begin = 0; begin < versions.size();) {
    size_t end = begin + 1;
    while (end < versions.size() &&
           versions[end]->mod_revision() == versions[begin]->mod_revision()) {
      ++end;
    }
    if (end - begin == 1) {
      deliver_single(versions[begin]);
    } else {
      deliver_revision(std::span(versions).subspan(begin, end - begin));
    }
    begin = end;
  }
  delivered_ = visible;
  versions.clear();
  versions_ = std::move(versions);
  end_busy();
}

void WatchHub::end_busy() {
  busy_ = false;
  while (!waiting_streams_.empty()) {
    HubStream* stream = waiting_streams_.begin()->second;
    waiting_streams_.erase(waiting_streams_.begin());
    stream->run_requests();
  }
}

void WatchHub::deliver_single(const KvRef& version) {
  tokens_.clear();
  index_.match(version->key(), &tokens_);
  if (tokens_.empty()) return;
  EventLists lists(state_.keyspace, {&version, 1});
  const Revision revision = version->mod_revision();
  for (const Token token : tokens_) {
    Watcher* watcher = find(token);
    if (watcher == nullptr || !wants(*watcher, revision) || !passes(watcher->spec, *version)) {
      continue;
    }
    offer(*watcher, revision, lists.get_only(watcher->spec.prev_kv));
  }
}

void WatchHub::deliver_revision(std::span<const KvRef> versions) {
  std::vector<std::pair<Token, std::vector<uint32_t>>> matches;
  absl::flat_hash_map<Token, size_t> places;
  for (uint32_t i = 0; i < versions.size(); ++i) {
    tokens_.clear();
    index_.match(versions[i]->key(), &tokens_);
    for (const Token token : tokens_) {
      const Watcher* watcher = find(token);
      if (!passes(watcher->spec, *versions[i])) continue;
      const auto [at, fresh] = places.try_emplace(token, matches.size());
      if (fresh) matches.push_back({token, {}});
      matches[at->second].second.push_back(i);
    }
  }
  EventLists lists(state_.keyspace, versions);
  const Revision revision = versions.front()->mod_revision();
  for (const auto& [token, picked] : matches) {
    Watcher* watcher = find(token);
    if (watcher == nullptr || !wants(*watcher, revision)) continue;
    offer(*watcher, revision, lists.get(picked, watcher->spec.prev_kv));
  }
}

bool WatchHub::wants(Watcher& watcher, Revision revision) {
  if (watcher.lagging) {
    if (++watcher.skipped >= skipped_max) unindex(watcher);
    return false;
  }
  return revision >= watcher.next;
}

void WatchHub::offer(Watcher& watcher, Revision revision, const SharedEvents& list) {
  HubStream& stream = *watcher.stream;
  if (!stream.has_room()) return fall_behind(watcher, revision);
  watcher.next = revision + 1;
  watcher.sent = true;
  stream.charge(list.bytes);
  state_.observer.on_watch_events(list.events->size());
  stream.sink().on_events(watcher.id, revision, watcher.spec.fragment, list.events);
}

void WatchHub::fall_behind(Watcher& watcher, Revision revision) {
  state_.observer.on_rare("a watch fell behind");
  watcher.next = revision;
  watcher.lagging = true;
  watcher.skipped = 0;
  ++slow_;
  queue_lagging(watcher);
  count();
}

void WatchHub::queue_lagging(Watcher& watcher) {
  if (watcher.queued) return;
  watcher.queued = true;
  lagging_.push_back(watcher.token);
}

// ---- Compaction ----

void WatchHub::on_compacted() {
  const Revision compact = state_.keyspace.compact_revision();
  const std::vector<Token> tokens(lagging_.begin(), lagging_.end());
  busy_ = true;
  for (const Token token : tokens) {
    Watcher* watcher = find(token);
    if (watcher != nullptr && watcher->lagging && watcher->next < compact) {
      tell_compacted(*watcher);
    }
  }
  end_busy();
}

void WatchHub::tell_compacted(Watcher& watcher) {
  unindex(watcher);
  state_.observer.on_rare("a watch was overtaken by a compaction");
  if (watcher.lagging) --slow_;
  watcher.lagging = false;
  watcher.compacted = true;
  count();
  watcher.stream->sink().on_compacted(watcher.id, state_.keyspace.compact_revision());
}

}  // namespace lattice::replica
