// The watch invariants (reliability.md section 2 D).
#include <algorithm>
#include <string>

#include "keyspace/watch_index.h"
#include "sim/checker.h"

namespace lattice::sim {
namespace {

bool compacted_at(const Truth& truth, int64_t revision) {
  return std::ranges::find(truth.compacts, revision, &TruthCompact::revision) !=
         truth.compacts.end();
}

// A change that a later one of the same revision superseded: a compaction at that very revision
// drops it, and a watch that starts there later does not see it. etcd does the same.
bool droppable(const Truth& truth, size_t at) {
  const TruthEvent& event = truth.events[at];
  if (!compacted_at(truth, event.revision)) return false;
  for (size_t i = at + 1; i < truth.events.size(); ++i) {
    if (truth.events[i].revision != event.revision) break;
    if (truth.events[i].key == event.key) return true;
  }
  return false;
}

// What a stream may be given beyond Options::stream_bytes: what one response holds.
constexpr size_t outstanding_bytes_max = 800;

bool wanted(const WatchRun& run, const TruthEvent& event) {
  return keyspace::contains(run.spec.range, event.key) &&
         !(event.tombstone ? run.spec.no_delete : run.spec.no_put);
}

}  // namespace

void Checker::check_watches() {
  for (const WatchRun& run : history_.watches) check_watch(run);
}

void Checker::check_watch(const WatchRun& run) {
  if (run.entries.empty()) return;
  if (run.outstanding_max > outstanding_bytes_max) {
    fail("3.3: a watch was given " + std::to_string(run.outstanding_max) + " bytes unread");
  }
  if (run.entries.front().kind != WatchRun::Entry::created) {
    return fail("D32: something came before `created`");
  }
  const int64_t created = run.entries.front().header;
  const int64_t asked = run.spec.start_revision.value;
  const int64_t start = asked == 0 ? created + 1 : asked;
  // D29: "from now on" begins no later than what had been answered before the watch was asked for.
  if (asked == 0) {
    for (const Op& op : history_.ops) {
      if (op.outcome == Outcome::ok && op.returned < run.called && header_of(op) > created &&
          !std::holds_alternative<KeepAliveOp>(op.what)) {
        fail("D29: a watch from now on was created in the past");
        break;
      }
    }
  }
  size_t at = 0;
  while (at < truth_.events.size() && truth_.events[at].revision < start) ++at;
  int64_t header = created;
  for (size_t i = 1; i < run.entries.size(); ++i) {
    const WatchRun::Entry& entry = run.entries[i];
    if (entry.kind == WatchRun::Entry::created) return fail("D32: created twice");
    if (entry.kind == WatchRun::Entry::compacted) {
      const bool real = compacted_at(truth_, entry.header);
      const int64_t next = at < truth_.events.size() ? truth_.events[at].revision : truth_.head + 1;
      if (!real || std::min(next, std::max(start, header + 1)) > entry.header) {
        fail("D30, D31: compacted without need");
      }
      if (i + 1 != run.entries.size()) fail("D31, D32: something came after the end of a watch");
      return;
    }
    if (!check_entry(run, entry, &at, &header)) return;
  }
  if (!run.open_at_end) return;
  for (; at < truth_.events.size(); ++at) {
    if (wanted(run, truth_.events[at]) && !droppable(truth_, at)) {
      return fail("D24, D37: revision " + std::to_string(truth_.events[at].revision) +
                  " never arrived");
    }
  }
  probes_.hit("sim: a watch was complete at the end");
}

// Compares what arrived with what the log says comes next; *at is the first event not yet passed.
bool Checker::check_entry(const WatchRun& run, const WatchRun::Entry& entry, size_t* at,
                          int64_t* header) {
  const std::string where = " of a watch at revision " + std::to_string(entry.header);
  if (entry.header < *header) return fail("D34: the header went backward" + where), false;
  *header = entry.header;
  for (const WatchRun::Event& seen : entry.list) {
    const auto passes_by = [&](size_t i) {
      const TruthEvent& next = truth_.events[i];
      const bool is_next = seen.revision == next.revision && seen.sub == next.sub;
      return !wanted(run, next) || (!is_next && droppable(truth_, i));
    };
    while (*at < truth_.events.size() && passes_by(*at)) ++*at;
    if (*at == truth_.events.size()) return fail("D22: an event that the log lacks" + where), false;
    const TruthEvent& truth = truth_.events[(*at)++];
    const bool same =
        seen.revision == truth.revision && seen.sub == truth.sub &&
        seen.tombstone == truth.tombstone && seen.key == truth.key &&
        (truth.tombstone || (seen.value == truth.value && seen.create == truth.create &&
                             seen.version == truth.version));
    if (!same) {
      fail("D20 to D24: got revision " + std::to_string(seen.revision) + " key " + seen.key +
           ", the log has " + std::to_string(truth.revision) + "." + std::to_string(truth.sub) +
           (truth.tombstone ? " without key " : " key ") + truth.key + where + " from " +
           std::to_string(run.spec.start_revision.value));
      return false;
    }
    const bool may_lack =
        !run.spec.prev_kv || std::any_of(truth_.compacts.begin(), truth_.compacts.end(),
                                         [&](const TruthCompact& compact) {
                                           return truth.revision - 1 < compact.revision;
                                         });
    const bool prev_right = seen.has_prev ? run.spec.prev_kv && truth.has_prev &&
                                                seen.prev_value == truth.prev_value &&
                                                seen.prev_mod == truth.prev_mod
                                          : may_lack || !truth.has_prev;
    if (!prev_right) return fail("D27: wrong prev_kv" + where), false;
    if (seen.revision > entry.header) return fail("D34: an event above its header" + where), false;
  }
  if (entry.kind == WatchRun::Entry::events) {
    // D23: the rest of the last revision may not come later.
    const int64_t last = entry.list.back().revision;
    for (size_t i = *at; i < truth_.events.size() && truth_.events[i].revision == last; ++i) {
      if (wanted(run, truth_.events[i]) && !droppable(truth_, i))
        return fail("D23: a revision was split" + where), false;
    }
    return true;
  }
  // D26, D33: progress at R promises that everything up to R has arrived.
  for (; *at < truth_.events.size() && truth_.events[*at].revision <= entry.header; ++*at) {
    if (wanted(run, truth_.events[*at]) && !droppable(truth_, *at)) {
      return fail("D26: progress passed an event that had not arrived" + where), false;
    }
  }
  if (run.spec.start_revision.value > entry.header) {
    return fail("D28: progress before the start revision" + where), false;
  }
  return true;
}

}  // namespace lattice::sim
