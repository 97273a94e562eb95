#include "replica/watch_matches.h"

namespace lattice::replica {

void WatchMatches::add(const std::vector<keyspace::WatcherToken>& tokens) {
  if (tokens != tokens_) {
    close_stretch();
    tokens_ = tokens;
    open_.first = open_.end;
  }
  ++open_.end;
}

void WatchMatches::finish() {
  close_stretch();
  tokens_.clear();
}

void WatchMatches::close_stretch() {
  for (const keyspace::WatcherToken token : tokens_) {
    const auto [at, fresh] = places_.try_emplace(token, matches_.size());
    if (fresh) matches_.push_back({token, {}});
    matches_[at->second].stretches.push_back(open_);
  }
}

}  // namespace lattice::replica
