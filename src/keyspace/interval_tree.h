// Intervals of keys with the watchers that want them, in a search tree ordered by interval whose
// nodes know the greatest end below them, so that finding all intervals around a key costs the
// matches and the depth. The tree is a treap; its priorities are a hash of the interval's first
// watcher, so equal histories build equal trees.
//
// Thread: one. Ownership: copies of the keys.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "keyspace/watch_index.h"

namespace lattice::keyspace {

class IntervalTree {
 public:
  IntervalTree();
  ~IntervalTree();
  // Requires for both: range.end is not empty.
  void add(WatcherToken token, const KeyRange& range);
  void remove(WatcherToken token, const KeyRange& range);
  void match(std::string_view key, std::vector<WatcherToken>* tokens) const;

 private:
  struct Node;
  using Link = std::unique_ptr<Node>;
  static void insert(Link* link, Link node);
  static Link merge(Link left, Link right);
  // Parts `from` into the nodes before and behind an interval that is not in it.
  static void split(Link from, const KeyRange& at, Link* before, Link* behind);
  // Requires: the interval is below `link`.
  static void unlink(Link* link, const KeyRange& range);
  Node* find(const KeyRange& range) const;

  Link root_;
};

}  // namespace lattice::keyspace
