#include "keyspace/key_index.h"

#include <algorithm>

namespace lattice::keyspace {
namespace {

// The shortest text above `left` and not above `right`.
std::string fence_between(std::string_view left, std::string_view right) {
  const KeyBounds both{left, right};
  return std::string(right.substr(0, both.common_prefix() + 1));
}

}  // namespace

KeyIndex::KeyIndex() : root_(std::make_unique<KeyLeaf>().release()), bytes_(sizeof(KeyLeaf)) {}

// ---- Searching ----

KeyLeaf* KeyIndex::leaf_of(std::string_view key) const {
  KeyNode* node = root_.get();
  while (!node->leaf) {
    auto* inner = static_cast<KeyInner*>(node);
    node = inner->children[inner->find(key)].get();
    node->prefetch();
  }
  return static_cast<KeyLeaf*>(node);
}

void KeyIndex::locate(std::span<const std::string_view> keys,
                      std::span<const KeyHistory*> places) const {
  constexpr size_t group_max = 32;
  std::array<KeyNode*, group_max> nodes;
  for (size_t from = 0; from < places.size(); from += group_max) {
    const size_t count = std::min(group_max, places.size() - from);
    const std::string_view* key = keys.data() + from;
    const KeyHistory** place = places.data() + from;
    nodes.fill(root_.get());
    // All leaves are at one depth. Each pass looks at what the one before it has asked for.
    while (!nodes[0]->leaf) {
      for (size_t i = 0; i < count; ++i) {
        auto* inner = static_cast<KeyInner*>(nodes[i]);
        nodes[i] = inner->children[inner->find(key[i])].get();
        nodes[i]->prefetch();
      }
    }
    for (size_t i = 0; i < count; ++i) {
      const auto* leaf = static_cast<KeyLeaf*>(nodes[i]);
      const size_t at = leaf->find_head(key[i]);
      place[i] = at < leaf->count ? &leaf->histories[at] : nullptr;
      __builtin_prefetch(place[i]);
    }
    for (size_t i = 0; i < count; ++i) {
      if (place[i] != nullptr) place[i]->prefetch();
    }
  }
}

KeyIndex::Place KeyIndex::lower_bound(std::string_view key) const {
  KeyLeaf* leaf = leaf_of(key);
  return {leaf, leaf->find(key)};
}

KeyHistory* KeyIndex::find(std::string_view key) const {
  KeyLeaf* leaf = leaf_of(key);
  const size_t at = leaf->find_equal(key);
  return at == leaf->count ? nullptr : &leaf->histories[at];
}

KeyIndex::Cursor KeyIndex::walk(const Interval& interval) const {
  // Both ends are written as "last place of a leaf" or "first place of the next", whichever is
  // real.
  const auto place = [this](std::string_view key) {
    Place found = lower_bound(key);
    if (found.at == found.leaf->count && found.leaf->next != nullptr) {
      found = {found.leaf->next, 0};
    }
    return found;
  };
  Cursor cursor;
  if (!interval.single && !interval.open_end && interval.end <= interval.begin) return cursor;
  const Place begin = place(interval.begin);
  cursor.leaf_ = begin.leaf;
  cursor.at_ = begin.at;
  Place end;
  if (interval.single) {
    end = place(std::string(interval.begin) + '\0');
  } else if (interval.open_end) {
    KeyNode* node = root_.get();
    while (!node->leaf) node = static_cast<KeyInner*>(node)->children[node->count - 1u].get();
    end = {static_cast<KeyLeaf*>(node), node->count};
  } else {
    end = place(interval.end);
  }
  cursor.end_leaf_ = end.leaf;
  cursor.end_at_ = end.at;
  return cursor;
}

// ---- Counting ----

void KeyIndex::add_live(std::string_view key, int32_t delta) {
  KeyNode* node = root_.get();
  while (!node->leaf) {
    auto* inner = static_cast<KeyInner*>(node);
    const size_t child = inner->find(key);
    inner->live[child] += static_cast<uint32_t>(delta);
    node = inner->children[child].get();
  }
}

int64_t KeyIndex::live_below(std::string_view key) const {
  int64_t live = 0;
  const KeyNode* node = root_.get();
  while (!node->leaf) {
    const auto* inner = static_cast<const KeyInner*>(node);
    const size_t child = inner->find(key);
    for (size_t i = 0; i < child; ++i) live += inner->live[i];
    node = inner->children[child].get();
  }
  const auto* leaf = static_cast<const KeyLeaf*>(node);
  return live + leaf->count_live(leaf->find(key));
}

int64_t KeyIndex::count_live(const Interval& interval) const {
  if (interval.single) {
    const KeyHistory* history = find(interval.begin);
    return history != nullptr && history->live() ? 1 : 0;
  }
  if (interval.open_end) return keyspace::count_live(*root_) - live_below(interval.begin);
  if (interval.end <= interval.begin) return 0;
  return live_below(interval.end) - live_below(interval.begin);
}

// ---- Changing ----

void KeyIndex::insert(KvRef first) {
  KeyHistory history(std::move(first));
  Split split = insert_into(root_.get(), KeyBounds(), std::move(history));
  ++size_;
  if (split.right == nullptr) return;
  auto root = std::make_unique<KeyInner>();
  root->insert(0, "", std::move(root_));
  root->insert(1, std::move(split.fence), std::move(split.right));
  root_ = KeyNodeLink(root.release());
  bytes_ += sizeof(KeyInner);
}

KeyIndex::Split KeyIndex::insert_into(KeyNode* node, const KeyBounds& bounds, KeyHistory history) {
  if (node->leaf) {
    return insert_into_leaf(static_cast<KeyLeaf*>(node), bounds, std::move(history));
  }
  auto* inner = static_cast<KeyInner*>(node);
  const size_t at = inner->find(history.key());
  KeyNode* child = inner->children[at].get();
  child->prefetch();
  inner->live[at] += history.live() ? 1 : 0;
  Split split = insert_into(child, inner->bounds_of(at, bounds), std::move(history));
  if (split.right == nullptr) return split;
  inner->live[at] = keyspace::count_live(*child);
  inner->insert(at + 1, std::move(split.fence), std::move(split.right));
  return inner->count == node_capacity ? split_inner(inner, bounds) : Split();
}

KeyIndex::Split KeyIndex::insert_into_leaf(KeyLeaf* leaf, const KeyBounds& bounds,
                                           KeyHistory history) {
  const size_t at = leaf->find(history.key());
  leaf->insert(at, std::move(history));
  if (leaf->count < node_capacity) return {};
  // Keys that arrive in order fill leaves to the brim instead of halving each one.
  const bool appended = at + 1 == leaf->count && leaf->next == nullptr;
  const size_t half = appended ? leaf->count - 1u : leaf->count / 2u;
  Split split;
  split.fence = fence_between(leaf->histories[half - 1].key(), leaf->histories[half].key());
  auto right = std::make_unique<KeyLeaf>();
  leaf->move_tail(half, right.get());
  right->previous = leaf;
  right->next = leaf->next;
  if (leaf->next != nullptr) leaf->next->previous = right.get();
  leaf->next = right.get();
  leaf->set_bounds({bounds.lower, split.fence});
  right->set_bounds({split.fence, bounds.upper});
  split.right = KeyNodeLink(right.release());
  bytes_ += sizeof(KeyLeaf);
  return split;
}

KeyIndex::Split KeyIndex::split_inner(KeyInner* inner, const KeyBounds& bounds) {
  const size_t half = inner->count / 2u;
  Split split;
  split.fence = std::move(inner->fences[half]);
  auto right = std::make_unique<KeyInner>();
  inner->move_tail(half, right.get());
  inner->set_bounds({bounds.lower, split.fence});
  right->set_bounds({split.fence, bounds.upper});
  split.right = KeyNodeLink(right.release());
  bytes_ += sizeof(KeyInner);
  return split;
}

template <class Change>
void KeyIndex::change(KeyHistory* history, Change apply) {
  const int32_t live_before = history->live() ? 1 : 0;
  bytes_ -= history->overhead_bytes();
  apply(history);
  bytes_ += history->overhead_bytes();
  const int32_t delta = (history->live() ? 1 : 0) - live_before;
  if (delta != 0) add_live(history->key(), delta);
}

void KeyIndex::push(KeyHistory* history, KvRef version) {
  change(history, [&](KeyHistory* changed) { changed->push(std::move(version)); });
}

template <class Pop>
void KeyIndex::pop(std::string_view key, Pop pop_one) {
  KeyHistory* history = find(key);
  if (history->size() > 1) return change(history, pop_one);
  if (history->live()) add_live(key, -1);
  erase(key);
}

void KeyIndex::pop_newest(std::string_view key) {
  pop(key, [](KeyHistory* history) { history->pop_newest(); });
}

void KeyIndex::pop_oldest(std::string_view key) {
  pop(key, [](KeyHistory* history) { history->pop_oldest(); });
}

void KeyIndex::erase(std::string_view key) {
  const bool empty = erase_from(root_.get(), KeyBounds(), key);
  --size_;
  if (empty && !root_->leaf) {
    root_ = KeyNodeLink(std::make_unique<KeyLeaf>().release());
    bytes_ = sizeof(KeyLeaf);
  }
  while (!root_->leaf && root_->count == 1) {
    root_ = std::move(static_cast<KeyInner*>(root_.get())->children[0]);
    bytes_ -= sizeof(KeyInner);
  }
}

bool KeyIndex::erase_from(KeyNode* node, const KeyBounds& bounds, std::string_view key) {
  if (node->leaf) {
    auto* leaf = static_cast<KeyLeaf*>(node);
    leaf->erase(leaf->find(key));
    return leaf->count == 0;
  }
  auto* inner = static_cast<KeyInner*>(node);
  const size_t at = inner->find(key);
  if (erase_from(inner->children[at].get(), inner->bounds_of(at, bounds), key)) {
    remove_child(inner, bounds, at);
  }
  return inner->count == 0;
}

void KeyIndex::remove_child(KeyInner* inner, const KeyBounds& bounds, size_t at) {
  KeyNode* child = inner->children[at].get();
  if (child->leaf) {
    auto* leaf = static_cast<KeyLeaf*>(child);
    if (leaf->previous != nullptr) leaf->previous->next = leaf->next;
    if (leaf->next != nullptr) leaf->next->previous = leaf->previous;
  }
  bytes_ -= child->leaf ? sizeof(KeyLeaf) : sizeof(KeyInner);
  inner->erase(at);
  // A neighbour now also answers for the keys of the child that is gone.
  if (inner->count > 0) inner->set_bounds_of(at > 0 ? at - 1 : 0, bounds);
}

}  // namespace lattice::keyspace
