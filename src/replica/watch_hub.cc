#include "replica/watch_hub.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/planted.h"
#include "replica/hub_stream.h"

namespace lattice::replica {
namespace {
// A lagging watch that this many events have passed by leaves the index.
constexpr int skipped_max = 32;
constexpr size_t lag_looked_at_max = 4096;

// The versions at the front that one response can hold: whole revisions, at least one.
size_t run_length(std::span<const keyspace::KvRef> versions, size_t bytes_max) {
  size_t bytes = 0;
  int revisions = 1;
  for (size_t i = 0; i < versions.size(); ++i) {
    if (i > 0 && versions[i]->mod_revision() != versions[i - 1]->mod_revision()) {
      if (bytes >= bytes_max || revisions == catch_up_revisions_max) return i;
      ++revisions;
    }
    bytes += versions[i]->encoded_view().size();
  }
  return versions.size();
}

// A planted bug.
void send_in_two(WatchSink& sink, WatchId id, Revision header, const SharedEvents& list) {
  const auto& all = *list.events;
  using Events = std::vector<WatchEvent>;
  sink.on_events(id, header, false, std::make_shared<Events>(all.begin(), all.begin() + 1));
  sink.on_events(id, header, false, std::make_shared<Events>(all.begin() + 1, all.end()));
}

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

void WatchHub::serve() {
  if (std::exchange(serving_, true)) return;
  delivered_ = state_.keyspace.visible_revision();
}

void WatchHub::close(const Status& status) {
  serving_ = false;
  catch_up_timer_.reset();
  // Closing one takes it out, and may destroy others.
  while (!streams_.empty()) streams_.begin()->second->close(status);
}

void WatchHub::on_users_changed() {
  std::vector<uint64_t> numbers;
  for (const auto& [number, stream] : streams_) numbers.push_back(number);
  for (const uint64_t number : numbers) {
    // Closing one may destroy others.
    if (const auto at = streams_.find(number); at != streams_.end()) at->second->check_token();
  }
}

// ---- For HubStream ----

void WatchHub::call_later(HubStream& stream) { waiting_streams_[stream.number()] = &stream; }

void WatchHub::add(HubStream& stream, WatchId id, WatchCreate spec, Token* token) {
  auto watcher = std::make_unique<Watcher>();
  watcher->stream = &stream;
  watcher->id = id;
  watcher->token = *token = ++last_token_;
  watcher->next = spec.start_revision == Revision(0) ? delivered_ + 1 : spec.start_revision;
  const bool resumes = spec.start_revision != Revision(0);
  if (planted(Planted::resume_misses) && resumes) watcher->next = watcher->next + 1;
  if (planted(Planted::resume_repeats) && resumes) watcher->next = watcher->next - 1;
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

int64_t WatchHub::lag() const {
  Revision next = delivered_ + 1;
  // Where more lag, those that are fed next stand for them: the queue goes round.
  const size_t looked_at = std::min(lagging_.size(), lag_looked_at_max);
  for (size_t i = 0; i < looked_at; ++i) {
    const auto at = watchers_.find(lagging_[i]);
    if (at != watchers_.end() && at->second->lagging) next = std::min(next, at->second->next);
  }
  return delivered_.value + 1 - next.value;
}

// ---- Live ----

void WatchHub::distribute() {
  const Revision visible = state_.keyspace.visible_revision();
  if (visible <= delivered_) return;
  if (!serving_ || index_.size() == 0) {
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
  for (std::span<const KvRef> rest(versions); !rest.empty();) {
    const size_t size = run_length(rest, state_.options.stream_bytes / 4);
    size == 1 ? deliver_single(rest.front()) : deliver_run(rest.first(size));
    rest = rest.subspan(size);
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
    if (watcher == nullptr || passes_by(*watcher, 1) || revision < watcher->next ||
        !passes(watcher->spec, *version)) {
      continue;
    }
    offer(*watcher, revision, revision, lists.get_only(watcher->spec.prev_kv));
  }
}

void WatchHub::deliver_run(std::span<const KvRef> versions) {
  WatchMatches matches;
  for (const KvRef& version : versions) {
    tokens_.clear();
    index_.match(version->key(), &tokens_);
    matches.add(tokens_);
  }
  EventLists lists(state_.keyspace, versions);
  std::vector<uint32_t> picked;
  for (const WatchMatches::Match& match : matches.finish()) {
    Watcher* watcher = find(match.token);
    if (watcher == nullptr) continue;
    pick(*watcher, versions, match.stretches, &picked);
    if (picked.empty() || passes_by(*watcher, static_cast<int>(picked.size()))) continue;
    offer(*watcher, versions[picked.front()]->mod_revision(), versions.back()->mod_revision(),
          lists.get(picked, watcher->spec.prev_kv));
  }
}

void WatchHub::pick(const Watcher& watcher, std::span<const KvRef> versions,
                    const WatchMatches::Stretches& stretches, std::vector<uint32_t>* picked) {
  picked->clear();
  for (const WatchMatches::Stretch& stretch : stretches) {
    for (uint32_t i = stretch.first; i < stretch.end; ++i) {
      const keyspace::KvRecord& version = *versions[i];
      if (version.mod_revision() >= watcher.next && passes(watcher.spec, version)) {
        picked->push_back(i);
      }
    }
  }
}

bool WatchHub::passes_by(Watcher& watcher, int events) {
  if (!watcher.lagging) return false;
  watcher.skipped += events;
  if (watcher.skipped >= skipped_max) unindex(watcher);
  return true;
}

void WatchHub::offer(Watcher& watcher, Revision first, Revision last, const SharedEvents& list) {
  HubStream& stream = *watcher.stream;
  if (!stream.has_room() && planted(Planted::skip_on_full_queue)) return;
  if (!stream.has_room()) return fall_behind(watcher, first);
  watcher.next = last + 1;
  watcher.sent = true;
  stream.charge(list.bytes);
  state_.observer.on_watch_events(list.events->size());
  if (planted(Planted::revision_split) && list.events->size() > 1) {
    return send_in_two(stream.sink(), watcher.id, last, list);
  }
  stream.sink().on_events(watcher.id, last, watcher.spec.fragment, list.events);
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

void WatchHub::on_history_lost() {
  std::vector<Token> tokens;
  for (const auto& [number, stream] : streams_) stream->list_watches(&tokens);
  busy_ = true;
  for (const Token token : tokens) {
    Watcher* watcher = find(token);
    if (watcher != nullptr && !watcher->compacted) tell_compacted(*watcher);
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
