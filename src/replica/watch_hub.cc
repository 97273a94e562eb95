#include "replica/watch_hub.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/planted.h"
#include "base/sparse_map.h"
#include "replica/hub_stream.h"

namespace lattice::replica {
namespace {
constexpr size_t lag_looked_at_max = 4096;
}  // namespace

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
  delivered_ = visible();
}

void WatchHub::close(const Status& status) {
  serving_ = false;
  catch_up_due_ = false;
  if (round_.active()) busy_ = false;
  round_.drop();
  // Closing one takes it out, and may destroy others.
  while (!streams_.empty()) streams_.begin()->second->close(status);
}

void WatchHub::on_users_changed() {
  std::vector<uint64_t> numbers;
  numbers.reserve(streams_.size());
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
  shrink_if_sparse(watchers_);
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

std::vector<WatchHub::Token> WatchHub::all_tokens() const {
  std::vector<Token> tokens;
  for (const auto& [number, stream] : streams_) stream->list_watches(&tokens);
  return tokens;
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
  if (!round_.active()) end_busy();
}

void WatchHub::on_history_lost() {
  // What the others were still to be given of it is lost as well.
  round_.drop();
  delivered_ = visible();
  busy_ = true;
  for (const Token token : all_tokens()) {
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
