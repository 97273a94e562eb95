// The keys of a keyspace in order, each with its history.
//
// Thread: the keyspace's. Ownership: holds the histories.
// Invariants: a key's bytes are read from its own versions, so no view outlives them; every history in
//   the index has at least one version.
#pragma once

#include <cstddef>
#include <string_view>

#include "absl/container/btree_set.h"
#include "keyspace/interval.h"
#include "keyspace/key_history.h"

namespace lattice::keyspace {

class KeyIndex {
  struct Less {
    using is_transparent = void;
    static std::string_view view(const KeyHistory& history) { return history.key(); }
    static std::string_view view(std::string_view key) { return key; }
    bool operator()(const auto& a, const auto& b) const { return view(a) < view(b); }
  };
  using Set = absl::btree_set<KeyHistory, Less>;

 public:
  // Walks keys in order. Pushing versions leaves it valid; inserting or erasing keys does not.
  class Cursor {
   public:
    bool valid() const { return at_ != end_; }
    KeyHistory& operator*() const { return const_cast<KeyHistory&>(*at_); }
    KeyHistory* operator->() const { return &**this; }
    void next() { ++at_; }

   private:
    friend class KeyIndex;
    Cursor(Set::const_iterator at, Set::const_iterator end) : at_(at), end_(end) {}
    Set::const_iterator at_;
    Set::const_iterator end_;
  };

  // Null if the key has no version. Valid until a key is inserted or erased.
  KeyHistory* find(std::string_view key) const {
    auto at = set_.find(key);
    return at == set_.end() ? nullptr : const_cast<KeyHistory*>(&*at);
  }
  // Requires: the key is not there.
  void insert(KvRef first) { set_.insert(KeyHistory(std::move(first))); }
  // Pushes onto a history of this index.
  void push(KeyHistory* history, KvRef version) { history->push(std::move(version)); }
  // Drops the newest or oldest version, and the key with its last one.
  void pop_newest(std::string_view key);
  void pop_oldest(std::string_view key);

  Cursor lower_bound(std::string_view key) const { return {set_.lower_bound(key), set_.end()}; }
  // Keys whose newest version is a put.
  int64_t count_live(const Interval& interval) const;
  size_t size() const { return set_.size(); }
  size_t memory_bytes() const { return set_.size() * sizeof(KeyHistory) * 3 / 2; }

 private:
  Set set_;
};

}  // namespace lattice::keyspace
