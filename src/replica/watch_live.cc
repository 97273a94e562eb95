// Giving watches what has just become visible. On a loop that other tenants want, too, that goes in
// pieces: a thousand watches of one key are a millisecond or two, for which everybody else would
// wait.
#include <algorithm>
#include <utility>

#include "base/planted.h"
#include "replica/hub_stream.h"
#include "replica/watch_hub.h"

namespace lattice::replica {
namespace {

// A lagging watch that this many events have passed by leaves the index.
constexpr int skipped_max = 32;
// A piece of work is counted in bytes of requests; giving a watch its events costs about as much
// as so many of them.
constexpr size_t size_per_step = 64;

// A planted bug.
void send_in_two(WatchSink& sink, WatchId id, Revision header, const SharedEvents& list) {
  const auto& all = *list.events;
  using Events = std::vector<WatchEvent>;
  sink.on_events(id, header, false, std::make_shared<Events>(all.begin(), all.begin() + 1));
  sink.on_events(id, header, false, std::make_shared<Events>(all.begin() + 1, all.end()));
}

}  // namespace

WatchHub::WatchHub(State& state, ReadQueue& reads, absl::AnyInvocable<void()> on_distributed)
    : state_(state),
      reads_(reads),
      on_distributed_(std::move(on_distributed)),
      round_(state.keyspace, index_) {
  turns_ = state_.environment.turns([this](size_t size) { return work(size); });
}

Revision WatchHub::visible() const { return state_.keyspace.visible_revision(); }

void WatchHub::distribute() {
  if (visible() <= delivered_) return;
  if (!serving_ || (index_.size() == 0 && !distributing())) {
    delivered_ = visible();
    return end_busy();
  }
  round_.gather(delivered_);
  if (turns_->shared() || round_.active()) return distribute_in_pieces();
  begin_round();
  go_on(Turns::whole_size);
}

void WatchHub::distribute_in_pieces() {
  if (!round_.overfull()) return turns_->begin();
  // Where another replica leads, nobody waits for these watches. They catch up from the history.
  round_.drop();
  busy_ = true;
  for (const Token token : all_tokens()) {
    Watcher* watcher = find(token);
    if (watcher == nullptr || watcher->lagging || watcher->compacted) continue;
    const Revision next = std::max(watcher->next, delivered_ + 1);
    if (next <= visible()) fall_behind(*watcher, next);
  }
  delivered_ = visible();
  end_busy();
  schedule_catch_up();
}

bool WatchHub::work(size_t size) {
  const size_t steps = std::max<size_t>(size / size_per_step, 1);
  const bool comes = round_.active() || round_.waits();
  if (comes && (round_.active() || !catch_up_first_)) {
    if (!round_.active()) begin_round();
    go_on(steps);
  } else if (catch_up_due_) {
    catch_up(steps);
  }
  // By turns, so that neither keeps the other waiting for ever.
  if (!round_.active()) catch_up_first_ = !catch_up_first_ && catch_up_due_;
  return catch_up_due_ || round_.active() || round_.waits();
}

void WatchHub::begin_round() {
  busy_ = true;
  round_.begin(state_.options.stream_bytes / 4);
}

void WatchHub::go_on(size_t steps) {
  while (const std::optional<Token> token = round_.next(&steps)) {
    Watcher* watcher = find(*token);
    if (watcher != nullptr && !watcher->compacted) give(*watcher);
  }
  if (!round_.active()) return;  // a sink has ended it
  if (steps == 0) {
    rested_ = true;
    return state_.observer.on_rare("a distribution rested");
  }
  delivered_ = round_.last();
  round_.end();
  end_busy();
}

void WatchHub::give(Watcher& watcher) {
  const std::vector<uint32_t>& picked = round_.pick(watcher.spec, watcher.next);
  if (picked.empty() || passes_by(watcher, static_cast<int>(picked.size()))) return;
  const Revision last = round_.run().back()->mod_revision();
  offer(watcher, round_.run()[picked.front()]->mod_revision(), last,
        round_.events(picked, watcher.spec.prev_kv));
}

void WatchHub::end_busy() {
  busy_ = false;
  // Each once: those that have to wait for the next round line up again.
  for (auto& [number, each] : std::exchange(waiting_streams_, {})) {
    // It may be gone by now: running one may destroy others.
    if (const auto at = streams_.find(number); at != streams_.end()) at->second->run_requests();
  }
  if (std::exchange(rested_, false)) on_distributed_();
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
  // The round may be older than the newest compaction.
  if (revision < state_.keyspace.compact_revision()) return tell_compacted(watcher);
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

}  // namespace lattice::replica
