#include "keyspace/watch_index.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "base/sparse_map.h"
#include "base/string_hash.h"
#include "keyspace/interval.h"
#include "keyspace/interval_tree.h"

namespace lattice::keyspace {

bool contains(const KeyRange& range, std::string_view key) { return Interval(range).contains(key); }

struct WatchIndex::Impl {
  absl::flat_hash_map<std::string, std::vector<WatcherToken>, StringHash, StringEqual> keys;
  IntervalTree intervals;
  size_t size = 0;
};

WatchIndex::WatchIndex() : impl_(std::make_unique<Impl>()) {}
WatchIndex::~WatchIndex() = default;

void WatchIndex::add(WatcherToken token, const KeyRange& range) {
  ++impl_->size;
  if (range.end.empty()) {
    impl_->keys[range.key].push_back(token);
  } else {
    impl_->intervals.add(token, range);
  }
}

void WatchIndex::remove(WatcherToken token, const KeyRange& range) {
  --impl_->size;
  if (!range.end.empty()) return impl_->intervals.remove(token, range);
  auto watched = impl_->keys.find(range.key);
  std::vector<WatcherToken>& tokens = watched->second;
  *std::find(tokens.begin(), tokens.end(), token) = tokens.back();
  tokens.pop_back();
  if (!tokens.empty()) return;
  impl_->keys.erase(watched);
  shrink_if_sparse(impl_->keys);
}

void WatchIndex::match(std::string_view key, std::vector<WatcherToken>* tokens) const {
  if (auto watched = impl_->keys.find(key); watched != impl_->keys.end()) {
    tokens->insert(tokens->end(), watched->second.begin(), watched->second.end());
  }
  impl_->intervals.match(key, tokens);
}

size_t WatchIndex::size() const { return impl_->size; }

}  // namespace lattice::keyspace
