// The keys of a keyspace in order, each with its history: a B+ tree that knows how many live keys
// are below each node, so that counting an interval costs two descents.
//
// At a million keys a descent looks at four nodes and, as a rule, at one key (key_node.h has the
// trick); a search tree that compares whole keys misses the cache some twenty times instead.
//
// Thread: the keyspace's. Ownership: holds the histories.
// Invariants: a key's bytes are read from its own versions, so no view outlives them; every history
//   in the index has at least one version. Leaves are given back when they are empty and never
//   merged: what sparse leaves waste is bounded by what their keys once took.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "keyspace/interval.h"
#include "keyspace/key_node.h"

namespace lattice::keyspace {

class KeyIndex {
 public:
  KeyIndex();
  KeyIndex(KeyIndex&&) noexcept = default;
  KeyIndex& operator=(KeyIndex&&) noexcept = default;

  // Walks the keys of an interval in order. Pushing versions leaves it valid; inserting or erasing
  // keys does not.
  class Cursor {
   public:
    bool valid() const { return leaf_ != end_leaf_ || at_ != end_at_; }
    KeyHistory& operator*() const { return leaf_->histories[at_]; }
    KeyHistory* operator->() const { return &leaf_->histories[at_]; }
    void next() {
      // A list of many keys waits for memory and nothing else: ask for the versions ahead of time.
      if (at_ + prefetch_distance < leaf_->count) {
        leaf_->histories[at_ + prefetch_distance].prefetch();
      }
      if (++at_ < leaf_->count || leaf_->next == nullptr) return;
      leaf_ = leaf_->next;
      at_ = 0;
    }

   private:
    friend class KeyIndex;
    static constexpr size_t prefetch_distance = 8;
    KeyLeaf* leaf_ = nullptr;
    size_t at_ = 0;
    KeyLeaf* end_leaf_ = nullptr;
    size_t end_at_ = 0;
  };
  Cursor walk(const Interval& interval) const;

  // Looks for many keys at once: a look-up waits for five or six cache misses, one behind the
  // other, and those of different keys overlap. places[i] is where keys[i] is, if it is there at
  // all; the keys themselves were not compared, only asked for. Valid as what find() returns.
  void locate(std::span<const std::string_view> keys, std::span<const KeyHistory*> places) const;

  // Null if the key has no version. Valid until a key is inserted or erased.
  KeyHistory* find(std::string_view key) const;
  // Requires: the key is not there.
  void insert(KvRef first);
  // Pushes onto a history of this index.
  void push(KeyHistory* history, KvRef version);
  // Drop the newest or oldest version, and the key with its last one. Require: the key is there.
  void pop_newest(std::string_view key);
  void pop_oldest(std::string_view key);

  // Keys whose newest version is a put.
  int64_t count_live(const Interval& interval) const;
  size_t size() const { return size_; }
  size_t memory_bytes() const { return bytes_; }

 private:
  // What a node that was full hands to its parent.
  struct Split {
    std::string fence;
    KeyNodeLink right;  // null: no split
  };
  struct Place {
    KeyLeaf* leaf;
    size_t at;
  };

  KeyLeaf* leaf_of(std::string_view key) const;
  Place lower_bound(std::string_view key) const;
  int64_t live_below(std::string_view key) const;
  void add_live(std::string_view key, int32_t delta);
  Split insert_into(KeyNode* node, const KeyBounds& bounds, KeyHistory history);
  Split insert_into_leaf(KeyLeaf* leaf, const KeyBounds& bounds, KeyHistory history);
  Split split_inner(KeyInner* inner, const KeyBounds& bounds);
  void erase(std::string_view key);
  // True when the node is empty now.
  bool erase_from(KeyNode* node, const KeyBounds& bounds, std::string_view key);
  void remove_child(KeyInner* inner, const KeyBounds& bounds, size_t at);
  template <class Change>
  void change(KeyHistory* history, Change apply);
  template <class Pop>
  void pop(std::string_view key, Pop pop_one);

  KeyNodeLink root_;
  size_t size_ = 0;
  size_t bytes_ = 0;
};

}  // namespace lattice::keyspace
