#include "keyspace/history.h"

#include <algorithm>

namespace lattice::keyspace {

History::Recent::const_iterator History::recent_from(Revision from) const {
  return std::lower_bound(
      recent_.begin(), recent_.end(), from,
      [](const KvRef& version, Revision wanted) { return version->mod_revision() < wanted; });
}

bool History::can_append(Revision revision, int32_t sub) const {
  if (recent_.empty() && (settled_.empty() || in_settled_)) return true;
  const KvRecord& last = recent_.empty() ? *settled_.back() : *recent_.back();
  return std::pair(last.mod_revision(), last.sub()) < std::pair(revision, sub);
}

void History::visit_from(Revision from, Revision compact, Visitor visit) const {
  // Only versions at the compact revision itself can stand in settled_, at its end; while the sweep
  // is still within settled_ they are in recent_.
  if (from <= compact && !in_settled_) {
    auto at = settled_.end();
    while (at != settled_.begin() && (*std::prev(at))->mod_revision() >= from) --at;
    for (; at != settled_.end(); ++at) {
      if (!visit(*at)) return;
    }
  }
  for (auto at = recent_from(from); at != recent_.end(); ++at) {
    if ((*at)->superseded_at() <= compact) continue;
    if (!visit(*at)) return;
  }
}

void History::visit_all(Visitor visit) const {
  for (size_t i = 0; i < settled_.size(); ++i) {
    if (i >= kept_ && i < next_) {
      i = next_ - 1;
      continue;
    }
    if (!visit(settled_[i])) return;
  }
  for (const KvRef& version : recent_) {
    if (!visit(version)) return;
  }
}

size_t History::count_after(Revision revision) const {
  return static_cast<size_t>(recent_.end() - recent_from(revision + 1));
}

void History::start_sweep(Revision target) {
  settled_.erase(settled_.begin() + static_cast<std::ptrdiff_t>(kept_),
                 settled_.begin() + static_cast<std::ptrdiff_t>(next_));
  kept_ = 0;
  next_ = 0;
  target_ = target;
  in_settled_ = true;
  sweeping_ = true;
}

bool History::sweep(size_t versions_max, Visitor keep) {
  if (in_settled_) {
    for (; versions_max > 0 && next_ < settled_.size(); --versions_max) {
      KvRef version = std::move(settled_[next_++]);
      if (keep(version)) settled_[kept_++] = std::move(version);
    }
    if (next_ < settled_.size()) return false;
    settled_.resize(kept_);
    kept_ = 0;
    next_ = 0;
    in_settled_ = false;
  }
  for (; versions_max > 0; --versions_max) {
    if (recent_.empty() || recent_.front()->mod_revision() > target_) {
      sweeping_ = false;
      return true;
    }
    KvRef version = std::move(recent_.front());
    recent_.pop_front();
    if (keep(version)) settled_.push_back(std::move(version));
  }
  return false;
}

}  // namespace lattice::keyspace
