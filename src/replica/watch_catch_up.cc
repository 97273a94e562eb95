// Feeding watches that are behind: a window of the shared history at a time, one pass in a turn of
// the loop.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "replica/hub_stream.h"
#include "replica/watch_hub.h"

namespace lattice::replica {
namespace {

constexpr size_t watchers_per_pass = 512;
constexpr size_t versions_per_watcher = 8;
constexpr size_t versions_min = 64;  // of a pass
// Fewer than this compare each version's key themselves.
constexpr size_t groups_without_index_max = 4;

}  // namespace

using keyspace::KvRef;

// Watches that want the same of this window.
struct WatchHub::Group {
  keyspace::KeyRange range;
  Revision next;
  bool prev_kv = false;
  bool no_put = false;
  bool no_delete = false;
  std::vector<Token> members;
  std::vector<uint32_t> matched;  // of the window's versions

  auto key() const { return std::tie(range.key, range.end, next, prev_kv, no_put, no_delete); }
};

void WatchHub::schedule_catch_up() {
  if (!serving_ || lagging_.empty() || std::exchange(catch_up_due_, true)) return;
  turns_->begin();
}

std::vector<WatchHub::Token> WatchHub::pick_lagging(size_t count_max) {
  std::vector<Token> picked;
  for (size_t left = lagging_.size(); left > 0 && picked.size() < count_max; --left) {
    const Token token = lagging_.front();
    lagging_.pop_front();
    Watcher* watcher = find(token);
    if (watcher == nullptr) continue;
    watcher->queued = watcher->lagging;
    if (!watcher->lagging) continue;
    lagging_.push_back(token);
    if (watcher->stream->has_room()) picked.push_back(token);
  }
  return picked;
}

void WatchHub::catch_up(size_t watchers_max) {
  catch_up_due_ = false;
  watchers_max = std::min(watchers_max, watchers_per_pass);
  const std::vector<Token> picked = pick_lagging(watchers_max);
  if (picked.empty()) return;  // room comes with HubStream::consumed()
  Revision from = delivered_ + 1;
  for (const Token token : picked) from = std::min(from, find(token)->next);
  std::deque<Group> groups = group_lagging(picked);
  std::vector<KvRef> versions;
  const size_t versions_max = std::max(watchers_max * versions_per_watcher, versions_min);
  const Revision end = read_window(from, versions_max, &versions);
  match_groups(&groups, versions);
  busy_ = true;
  for (Group& group : groups) feed_group(group, versions, end);
  end_busy();
  schedule_catch_up();
}

std::deque<WatchHub::Group> WatchHub::group_lagging(const std::vector<Token>& picked) {
  std::map<decltype(std::declval<const Group&>().key()), Group*> places;
  std::deque<Group> groups;  // keeps its elements in place: the keys above refer to them
  for (const Token token : picked) {
    const Watcher& watcher = *find(token);
    const WatchCreate& spec = watcher.spec;
    Group group{spec.range, watcher.next, spec.prev_kv, spec.no_put, spec.no_delete, {token}, {}};
    const auto at = places.find(group.key());
    if (at != places.end()) {
      at->second->members.push_back(token);
      continue;
    }
    groups.push_back(std::move(group));
    places.emplace(groups.back().key(), &groups.back());
  }
  return groups;
}

// Whole revisions from `from` on; answers the last revision that the window covers.
Revision WatchHub::read_window(Revision from, size_t versions_max,
                               std::vector<KvRef>* versions) const {
  Revision last = delivered_;
  Revision current{-1};
  int revisions = 0;
  state_.keyspace.visit_history(from, [&](const KvRef& version) {
    if (version->mod_revision() > delivered_) return false;  // the next round's
    if (version->mod_revision() != current) {
      const bool full = versions->size() >= versions_max || revisions >= catch_up_revisions_max;
      if (full) {
        last = current;
        return false;
      }
      current = version->mod_revision();
      ++revisions;
    }
    versions->push_back(version);
    return true;
  });
  return last;
}

void WatchHub::match_groups(std::deque<Group>* groups, std::span<const KvRef> versions) const {
  const auto take = [&](Group& group, uint32_t index) {
    const keyspace::KvRecord& version = *versions[index];
    if (version.mod_revision() < group.next) return;
    if (version.tombstone() ? group.no_delete : group.no_put) return;
    group.matched.push_back(index);
  };
  if (groups->size() <= groups_without_index_max) {
    for (Group& group : *groups) {
      for (uint32_t i = 0; i < versions.size(); ++i) {
        if (keyspace::contains(group.range, versions[i]->key())) take(group, i);
      }
    }
    return;
  }
  keyspace::WatchIndex index;
  for (size_t i = 0; i < groups->size(); ++i) index.add(i, (*groups)[i].range);
  std::vector<Token> found;
  for (uint32_t i = 0; i < versions.size(); ++i) {
    found.clear();
    index.match(versions[i]->key(), &found);
    for (const Token place : found) take((*groups)[place], i);
  }
}

Revision WatchHub::cut_to_fit(Group* group, std::span<const KvRef> versions, Revision end) const {
  // One response; a stream that has any room at all can be given it.
  const size_t response_bytes_max = state_.options.stream_bytes / 4;
  size_t bytes = 0;
  for (size_t i = 0; i < group->matched.size(); ++i) {
    const keyspace::KvRecord& version = *versions[group->matched[i]];
    const bool next_revision =
        i > 0 && version.mod_revision() != versions[group->matched[i - 1]]->mod_revision();
    if (next_revision && bytes >= response_bytes_max) {
      group->matched.resize(i);
      return version.mod_revision() - 1;
    }
    bytes += version.encoded_view().size();
  }
  return end;
}

void WatchHub::feed_group(Group& group, std::span<const KvRef> versions, Revision end) {
  if (group.next > end) return;  // its turn comes with a later window
  const Revision fed = cut_to_fit(&group, versions, end);
  EventLists lists(state_.keyspace, versions);
  for (const Token token : group.members) {
    Watcher* watcher = find(token);
    if (watcher == nullptr || !watcher->lagging || !watcher->stream->has_room()) continue;
    caught_up(*watcher, fed + 1);
    if (group.matched.empty()) continue;
    const SharedEvents& list = lists.get(group.matched, group.prev_kv);
    watcher->sent = true;
    watcher->stream->charge(list.bytes);
    state_.observer.on_watch_events(list.events->size());
    // May destroy the stream.
    watcher->stream->sink().on_events(watcher->id, delivered_, watcher->spec.fragment, list.events);
  }
}

void WatchHub::caught_up(Watcher& watcher, Revision next) {
  watcher.next = next;
  if (next <= delivered_) return;
  watcher.lagging = false;
  --slow_;
  if (!watcher.indexed) {
    index_.add(watcher.token, watcher.spec.range);
    watcher.indexed = true;
  }
  count();
}

}  // namespace lattice::replica
