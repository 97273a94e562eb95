#include "replica/watch_round.h"

#include <algorithm>

namespace lattice::replica {
namespace {

using keyspace::KvRef;

// Of the watches that a version concerns, so many are found and gathered in the time of one step.
constexpr size_t found_per_step = 16;
// Gathered while a round is under way.
constexpr size_t coming_max = 4096;
constexpr size_t coming_bytes_max = 8 << 20;

// The versions at the front that one response can hold: whole revisions, at least one.
size_t run_length(std::span<const KvRef> versions, size_t bytes_max) {
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

}  // namespace

void WatchRound::gather(Revision delivered) {
  keyspace_.visit_history(std::max(delivered, gathered_) + 1, [this](const KvRef& version) {
    coming_bytes_ += version->encoded_view().size();
    coming_.push_back(version);
    return true;
  });
  gathered_ = keyspace_.visible_revision();
}

bool WatchRound::overfull() const {
  return coming_.size() > coming_max || coming_bytes_ > coming_bytes_max;
}

void WatchRound::begin(size_t run_bytes_max) {
  active_ = true;
  last_ = gathered_;
  run_bytes_max_ = run_bytes_max;
  versions_.swap(coming_);
  coming_bytes_ = 0;
  rest_ = versions_;
  start_run();
}

void WatchRound::end() {
  active_ = false;
  count_ = cursor_ = looked_up_ = 0;
  lists_.reset();
  rest_ = run_ = {};
  versions_.clear();
}

void WatchRound::drop() {
  end();
  coming_.clear();
  coming_bytes_ = 0;
  gathered_ = Revision(0);
}

void WatchRound::start_run() {
  run_ = rest_.first(run_length(rest_, run_bytes_max_));
  rest_ = rest_.subspan(run_.size());
  lists_.emplace(keyspace_, run_);
  looked_up_ = count_ = cursor_ = 0;
  if (run_.size() > 1) matches_ = WatchMatches();
}

std::optional<keyspace::WatcherToken> WatchRound::next(size_t* steps) {
  while (*steps > 0) {
    if (cursor_ < count_) {
      --*steps;
      const size_t at = cursor_++;
      return run_.size() == 1 ? tokens_[at] : matches_.found()[at].token;
    }
    if (looked_up_ < run_.size()) {
      if (!look_up(steps)) return std::nullopt;
      continue;
    }
    if (rest_.empty()) return std::nullopt;
    start_run();
  }
  return std::nullopt;
}

bool WatchRound::look_up(size_t* steps) {
  for (; looked_up_ < run_.size(); ++looked_up_) {
    if (*steps == 0) return false;
    tokens_.clear();
    index_.match(run_[looked_up_]->key(), &tokens_);
    if (run_.size() > 1) matches_.add(tokens_);
    *steps -= std::min(*steps, 1 + tokens_.size() / found_per_step);
  }
  if (run_.size() > 1) matches_.finish();
  count_ = run_.size() == 1 ? tokens_.size() : matches_.found().size();
  return true;
}

const std::vector<uint32_t>& WatchRound::pick(const WatchCreate& spec, Revision from) {
  picked_.clear();
  const auto take = [&](uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; ++i) {
      const keyspace::KvRecord& version = *run_[i];
      if (version.mod_revision() >= from && passes(spec, version)) picked_.push_back(i);
    }
  };
  if (run_.size() == 1) {
    take(0, 1);
  } else {
    for (const WatchMatches::Stretch& stretch : matches_.found()[cursor_ - 1].stretches) {
      take(stretch.first, stretch.end);
    }
  }
  return picked_;
}

}  // namespace lattice::replica
