#include "keyspace/compare.h"

#include <compare>

namespace lattice::keyspace {
namespace {

// How the key's field stands to the operand. `kv` is null for an absent key, whose numbers are 0.
std::strong_ordering order(const Compare& compare, const KvRecord* kv) {
  const auto number = [&](int64_t found) { return found <=> compare.number; };
  switch (compare.target) {
    case CompareTarget::version:
      return number(kv == nullptr ? 0 : kv->version());
    case CompareTarget::create:
      return number(kv == nullptr ? 0 : kv->create_revision().value);
    case CompareTarget::mod:
      return number(kv == nullptr ? 0 : kv->mod_revision().value);
    case CompareTarget::lease:
      return number(kv == nullptr ? 0 : kv->lease().value);
    case CompareTarget::value:
      return kv->value() <=> std::string_view(compare.value);
  }
  // A target that etcd does not know compares as equal.
  return std::strong_ordering::equal;
}

bool holds_for(const Compare& compare, const KvRecord* kv) {
  // "No value" cannot be written as an operand, so nothing is true of it, not even "not equal".
  if (kv == nullptr && compare.target == CompareTarget::value) return false;
  const std::strong_ordering found = order(compare, kv);
  switch (compare.result) {
    case CompareResult::equal:
      return std::is_eq(found);
    case CompareResult::greater:
      return std::is_gt(found);
    case CompareResult::less:
      return std::is_lt(found);
    case CompareResult::not_equal:
      return std::is_neq(found);
  }
  return true;  // as etcd does for an operator it does not know
}

bool holds(const State& state, const Compare& compare, Revision revision) {
  const Interval interval(compare.range);
  if (interval.single) return holds_for(compare, state.live_at(interval.begin, revision));
  bool found = false;
  for (auto at = state.index.walk(interval); at.valid(); at.next()) {
    const KvRecord* kv = live_in(*at, revision);
    if (kv == nullptr) continue;
    found = true;
    if (!holds_for(compare, kv)) return false;
  }
  return found || holds_for(compare, nullptr);
}

}  // namespace

bool all_hold(const State& state, const std::vector<Compare>& compares, Revision revision) {
  for (const Compare& compare : compares) {
    ++state.counts.ranges;
    if (!holds(state, compare, revision)) return false;
  }
  return true;
}

}  // namespace lattice::keyspace
