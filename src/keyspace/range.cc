#include "keyspace/range.h"

#include <algorithm>

#include "base/planted.h"

namespace lattice::keyspace {
namespace {

bool has_filter(const RangeRequest& request) {
  constexpr Revision unset;
  return request.min_mod_revision != unset || request.max_mod_revision != unset ||
         request.min_create_revision != unset || request.max_create_revision != unset;
}

bool passes(const RangeRequest& request, const KvRecord& kv) {
  constexpr Revision unset;
  if (request.max_mod_revision != unset && kv.mod_revision() > request.max_mod_revision) {
    return false;
  }
  if (request.min_mod_revision != unset && kv.mod_revision() < request.min_mod_revision) {
    return false;
  }
  if (request.max_create_revision != unset && kv.create_revision() > request.max_create_revision) {
    return false;
  }
  return request.min_create_revision == unset ||
         kv.create_revision() >= request.min_create_revision;
}

// Keys alive at `revision`. The index counts its newest state fast; what changed after `revision`
// is subtracted, unless that is more work than looking at each key.
int64_t count_at(const State& state, const Interval& interval, Revision revision) {
  if (interval.single) return state.live_at(interval.begin, revision) != nullptr ? 1 : 0;
  int64_t count = state.index.count_live(interval);
  const size_t newer = revision < state.visible ? state.history.count_after(revision) : size_t{0};
  if (newer > 64 + 2 * static_cast<size_t>(count)) {
    count = 0;
    for (auto at = state.index.walk(interval); at.valid(); at.next()) {
      if (live_in(*at, revision) != nullptr) ++count;
    }
    return count;
  }
  const auto subtract = [&](const KvRef& version) {
    const int delta = live_delta(*version);
    if (delta != 0 && interval.contains(version->key())) count -= delta;
    return true;
  };
  if (newer > 0) state.history.visit_from(revision + 1, state.compact, subtract);
  for (const KvRef& version : state.staged) {
    if (version->mod_revision() > revision) subtract(version);
  }
  return count;
}

// The live keys of the interval in key order, at most `fetch_max` (0: all) of those that pass.
std::vector<KvRef> fetch(const State& state, const RangeRequest& request, const Interval& interval,
                         Revision revision, size_t fetch_max, const KeyHistory* place) {
  std::vector<KvRef> kvs;
  if (interval.single) {
    const KvRecord* kv = state.live_at(interval.begin, revision, place);
    if (kv != nullptr && passes(request, *kv)) kvs.push_back(KvRef::share(kv));
    return kvs;
  }
  for (auto at = state.index.walk(interval); at.valid(); at.next()) {
    const KvRecord* kv = live_in(*at, revision);
    if (kv == nullptr || !passes(request, *kv)) continue;
    kvs.push_back(KvRef::share(kv));
    if (kvs.size() == fetch_max) break;
  }
  return kvs;
}

// Ties keep key order. etcd's own sort is not stable; for up to twelve keys it happens to agree.
template <class Projection>
void sort_by(SortOrder order, std::vector<KvRef>* kvs, Projection projection) {
  if (order == SortOrder::descend) {
    std::stable_sort(kvs->begin(), kvs->end(), [&](const KvRef& a, const KvRef& b) {
      return projection(*b) < projection(*a);
    });
  } else {
    std::stable_sort(kvs->begin(), kvs->end(), [&](const KvRef& a, const KvRef& b) {
      return projection(*a) < projection(*b);
    });
  }
}

void sort(const RangeRequest& request, std::vector<KvRef>* kvs) {
  switch (request.sort_target) {
    case SortTarget::key:
      // Fetched in key order already.
      if (request.sort_order == SortOrder::descend) std::reverse(kvs->begin(), kvs->end());
      return;
    // Another target without an order sorts ascending, but the fetch was cut to the smallest keys.
    case SortTarget::version:
      return sort_by(request.sort_order, kvs, [](const KvRecord& kv) { return kv.version(); });
    case SortTarget::create:
      return sort_by(request.sort_order, kvs,
                     [](const KvRecord& kv) { return kv.create_revision(); });
    case SortTarget::mod:
      return sort_by(request.sort_order, kvs, [](const KvRecord& kv) { return kv.mod_revision(); });
    case SortTarget::value:
      return sort_by(request.sort_order, kvs, [](const KvRecord& kv) { return kv.value(); });
  }
}

}  // namespace

Result<RangeResult> read_range(const State& state, const RangeRequest& request, Revision current,
                               const KeyHistory* place) {
  ++state.counts.ranges;
  if (request.revision > current && !planted(Planted::future_revision_leak)) {
    return Error::future_revision;
  }
  const Revision revision = request.revision <= Revision(0) ? current : request.revision;
  if (revision < state.compact && !planted(Planted::compacted_read_answered)) {
    return Error::compacted;
  }
  if (revision == state.compact && planted(Planted::error_at_compact_revision)) {
    return Error::compacted;
  }

  RangeResult result;
  result.header_revision = current;
  result.keys_only = request.keys_only;
  result.keys_only_with_lease = request.keys_only && request.sort_target == SortTarget::value;
  const Interval interval(request.range);
  if (request.count_only) {
    result.count = count_at(state, interval, revision);
    return result;
  }

  const bool limited = request.limit > 0;
  // One more than the limit tells whether there is more. Whoever sorts or filters sees everything
  // first, save the quirk that a target without an order does not count as sorting.
  const bool cut_fetch = limited && request.sort_order == SortOrder::none && !has_filter(request);
  const size_t limit = limited ? static_cast<size_t>(request.limit) : 0;
  result.kvs = fetch(state, request, interval, revision, cut_fetch ? limit + 1 : 0, place);
  const bool fetched_all = !has_filter(request) && (!cut_fetch || result.kvs.size() <= limit);
  result.count =
      fetched_all ? static_cast<int64_t>(result.kvs.size()) : count_at(state, interval, revision);
  sort(request, &result.kvs);
  if (limited && result.kvs.size() > limit) {
    result.kvs.resize(limit);
    result.more = true;
  }
  return result;
}

}  // namespace lattice::keyspace
