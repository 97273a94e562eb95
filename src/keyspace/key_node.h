// The nodes of the key index (key_index.h), a B+ tree.
//
// Keys share long prefixes, and following a pointer to compare a key costs a cache miss. So each
// node keeps the next eight bytes of its keys, their *heads*, as numbers in one array: a search
// compares heads and looks at a key only where heads are equal. How many bytes the heads leave out
// follows from the node's bounds: whatever both bounds begin with, every key between them begins
// with too. A node without such bounds, the root above all, leaves out what its fences have in
// common, and looks at that part of a key first.
// Thread: the keyspace's.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "keyspace/key_history.h"

namespace lattice::keyspace {

// A leaf is then just below 1 KiB.
inline constexpr size_t node_capacity = 60;

// The keys that a node may hold: from `lower` up to, not including, `upper` (none: no bound).
struct KeyBounds {
  std::string_view lower;
  std::optional<std::string_view> upper;

  size_t common_prefix() const;
};

struct KeyNode;
struct KeyNodeDeleter {
  void operator()(KeyNode* node) const;
};
using KeyNodeLink = std::unique_ptr<KeyNode, KeyNodeDeleter>;

struct KeyNode {
  explicit KeyNode(bool is_leaf) : leaf(is_leaf) {}

  // The eight bytes of `key` behind the node's prefix, big-endian, zeros behind a short key.
  // Requires: the key is within the node's bounds.
  uint64_t head_of(std::string_view key) const {
    const size_t left = key.size() - prefix;
    uint64_t head = 0;
    std::memcpy(&head, key.data() + prefix, left < 8 ? left : 8);
    if constexpr (std::endian::native == std::endian::little) head = __builtin_bswap64(head);
    return head;
  }
  // The heads will be searched soon.
  void prefetch() const {
    const char* at = reinterpret_cast<const char*>(this);
    for (size_t line = 0; line < 8; ++line) __builtin_prefetch(at + 64 * line);
  }

  const bool leaf;
  uint16_t count = 0;
  uint32_t prefix = 0;
  std::array<uint64_t, node_capacity> heads;
};

struct KeyLeaf : KeyNode {
  KeyLeaf() : KeyNode(true) {}

  // The first place whose key is not less than `key`; `count` if there is none.
  size_t find(std::string_view key) const;
  // The first place whose head is not less than the key's, without a look at a key.
  size_t find_head(std::string_view key) const;
  // The place of `key` itself; `count` if it is not there.
  size_t find_equal(std::string_view key) const;
  void insert(size_t at, KeyHistory history);
  void erase(size_t at);
  // Moves everything from `at` on to the empty `right`.
  void move_tail(size_t at, KeyLeaf* right);
  void set_bounds(const KeyBounds& bounds);
  uint32_t count_live(size_t end) const;

  KeyLeaf* previous = nullptr;
  KeyLeaf* next = nullptr;
  std::array<KeyHistory, node_capacity> histories;
};

struct KeyInner : KeyNode {
  KeyInner() : KeyNode(false) {}

  // Which child holds `key`.
  size_t find(std::string_view key) const;
  // Below, equal to or above zero as the first `prefix` bytes of the key are below, equal to or
  // above the fences' own.
  int compare_prefix(std::string_view key) const;
  void insert(size_t at, std::string fence, KeyNodeLink child);
  void erase(size_t at);
  void move_tail(size_t at, KeyInner* right);
  void set_bounds(const KeyBounds& bounds);
  KeyBounds bounds_of(size_t child, const KeyBounds& own) const;
  // Tells a child its bounds again after a neighbour has gone.
  void set_bounds_of(size_t child, const KeyBounds& own);
  void choose_prefix();

  uint32_t assured = 0;  // so much of the prefix all keys within the bounds have

  std::array<KeyNodeLink, node_capacity> children;
  // Keys whose newest version is a put, below each child.
  std::array<uint32_t, node_capacity> live{};
  // The lower bound of each child; the first child's is the node's own and not kept here.
  std::array<std::string, node_capacity> fences;
};

// Keys whose newest version is a put, in the whole subtree.
uint32_t count_live(const KeyNode& node);

}  // namespace lattice::keyspace
