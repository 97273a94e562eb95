// All watches of a replica: matches each committed batch against them, and lets those that are
// behind catch up from the keyspace's history.
//
// A watch is *synced* when it has been given every event up to delivered_. What has become visible
// is given to all watches in a round, at once, or in pieces where other tenants want the loop, too;
// then delivered_ advances. What clients ask of their streams waits while a round is under way, and
// until delivered_ has reached what was visible when they asked. A watch falls behind when its
// stream has no room, or starts behind because it asked for history: then it is a cursor (`next`)
// into the shared history, fed in bounded steps. A synced watch is found through the index; one
// that has been behind for a while leaves the index, so that ten thousand stalled watches cost a
// busy key nothing.
//
// Memory: a stream holds at most stream_bytes and one response, all together all_streams_bytes and
// for each stream its share and one response; what lags is in the history anyway.
//
// Thread: the replica's loop. The sinks are called there; they may call their stream, and destroy
//   it.
// Ownership: streams belong to their callers and unregister themselves; the hub owns the watchers.
// Invariants: a sink gets each event of a watch once, in revision order, whole revisions only. A
//   progress answer carries delivered_, never the head of the log (reliability.md finding 5).
//   Nothing follows on_canceled, on_compacted or on_closed for that watch.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "keyspace/watch_index.h"
#include "replica/lifetime.h"
#include "replica/read_queue.h"
#include "replica/state.h"
#include "replica/turns.h"
#include "replica/watch_round.h"

namespace lattice::replica {

class HubStream;

struct Watcher {
  HubStream* stream = nullptr;
  WatchId id;
  WatchCreate spec;
  keyspace::WatcherToken token = 0;
  Revision next;         // the lowest revision that it may still be given
  bool lagging = false;  // not synced
  bool indexed = false;
  bool queued = false;     // in WatchHub::lagging_
  bool compacted = false;  // told so; known until the client cancels it
  bool sent = false;       // since the last progress tick
  int skipped = 0;         // events that passed it by while it lagged and was indexed
};

class WatchHub {
 public:
  // `on_distributed`: distributing() may be over.
  WatchHub(State& state, ReadQueue& reads, absl::AnyInvocable<void()> on_distributed);
  ~WatchHub();

  std::unique_ptr<WatchStream> open(WatchSink& sink);
  // Revisions that the watch which is furthest behind has not been given.
  int64_t lag() const;

  // The log was read, and every batch up to now is applied: watches may be created.
  void serve();
  // Ends every stream; later ones wait for serve().
  void close(const Status& status);
  // Batches were applied. Requires: called after each one.
  void distribute();
  // A round is under way, and the next one waits for it: no moment for more.
  bool distributing() const { return rested_ && round_.active() && round_.waits(); }
  // Users or API tokens may have changed: streams whose token does not count any more end.
  // Requires: called before distribute(), so that nothing behind the change is shown to them.
  void on_users_changed();
  // What watches were given may be no part of the history any more: all are told that it is
  // compacted, so that their clients list again.
  void on_history_lost();
  // The compact revision has moved: watches that it has overtaken are told so.
  void on_compacted();

 private:
  friend class HubStream;
  using Token = keyspace::WatcherToken;

  // ---- For HubStream ----
  bool busy() const { return busy_; }
  bool serving() const { return serving_; }
  Revision delivered() const { return delivered_; }
  Revision visible() const;
  void add(HubStream& stream, WatchId id, WatchCreate spec, Token* token);
  void remove(Token token);
  Watcher* find(Token token);
  void call_later(HubStream& stream);
  void forget(HubStream& stream);
  void schedule_catch_up();
  // All streams together hold so much that each gets no more than its share.
  bool scarce() const { return outstanding_ >= state_.options.all_streams_bytes; }

  // ---- Live (watch_live.cc) ----
  void distribute_in_pieces();
  // A piece of whatever is to be done; false: nothing is.
  bool work(size_t size);
  void begin_round();
  // Gives so many watches of the round their events, and ends it behind the last one.
  void go_on(size_t steps);
  void give(Watcher& watcher);
  // Whether the watch lags and is not fed here; it remembers how many events went by.
  bool passes_by(Watcher& watcher, int events);
  // Gives the events of revisions `first` to `last` to the watch if its stream has room; the watch
  // may be gone after. Requires: the list has all that it wants up to `last`.
  void offer(Watcher& watcher, Revision first, Revision last, const SharedEvents& list);
  void fall_behind(Watcher& watcher, Revision revision);
  void end_busy();

  // ---- Catching up (watch_catch_up.cc) ----
  struct Group;
  // Feeds no more than so many watches of those that lag. Requires: no round is under way.
  void catch_up(size_t watchers_max);
  std::vector<Token> pick_lagging(size_t count_max);
  Revision read_window(Revision from, size_t versions_max,
                       std::vector<keyspace::KvRef>* versions) const;
  std::deque<Group> group_lagging(const std::vector<Token>& picked);
  void match_groups(std::deque<Group>* groups, std::span<const keyspace::KvRef> versions) const;
  // Keeps of `matched` what fits one response; answers up to where the group is fed then.
  Revision cut_to_fit(Group* group, std::span<const keyspace::KvRef> versions, Revision end) const;
  void feed_group(Group& group, std::span<const keyspace::KvRef> versions, Revision end);
  void queue_lagging(Watcher& watcher);
  void caught_up(Watcher& watcher, Revision next);
  void tell_compacted(Watcher& watcher);
  void unindex(Watcher& watcher);
  // In the order of their streams.
  std::vector<Token> all_tokens() const;
  void count();

  State& state_;
  ReadQueue& reads_;
  Lifetime lifetime_;
  absl::AnyInvocable<void()> on_distributed_;
  bool serving_ = false;
  bool busy_ = false;  // a round is under way, or sinks are called: what streams ask for waits
  Revision delivered_;
  Token last_token_ = 0;
  absl::flat_hash_map<Token, std::unique_ptr<Watcher>> watchers_;
  keyspace::WatchIndex index_;
  std::deque<Token> lagging_;  // may hold tokens of watchers that are gone or synced again
  // By number, so that a run in simulated time visits them in the same order each time.
  std::map<uint64_t, HubStream*> streams_;
  std::map<uint64_t, HubStream*> waiting_streams_;  // with requests that the next end_busy() runs
  uint64_t last_stream_ = 0;
  WatchRound round_;
  bool rested_ = false;  // a round did, in a turn before this one
  size_t slow_ = 0;
  size_t outstanding_ = 0;  // of all streams: delivered and not consumed
  bool refused_ = false;    // a stream had no room because of that
  bool catch_up_due_ = false;
  bool catch_up_first_ = false;  // before the next round
  std::unique_ptr<Turns> turns_;
};

}  // namespace lattice::replica
