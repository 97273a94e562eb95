// All versions of one key that are still there, oldest first, in the eight bytes of a tagged
// pointer: a key with one version (most keys) points at it directly, more versions live in a
// vector.
//
// Thread: the keyspace's. Ownership: holds a count of each version.
// Invariants: versions are in (revision, sub) order and of one key; an empty history exists only
//   between popping the last version and being erased from the index.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "keyspace/kv_record.h"

namespace lattice::keyspace {

class KeyHistory {
 public:
  KeyHistory() = default;
  explicit KeyHistory(KvRef first) { push(std::move(first)); }
  KeyHistory(KeyHistory&& other) noexcept : bits_(std::exchange(other.bits_, 0)) {}
  KeyHistory& operator=(KeyHistory&& other) noexcept {
    std::swap(bits_, other.bits_);
    return *this;
  }
  ~KeyHistory() {
    if (bits_ != 0) clear();
  }

  bool empty() const { return bits_ == 0; }
  // Whether the newest version is a put; needs no look at the version.
  bool live() const { return (bits_ & live_bit) != 0; }
  // The newest version's numbers, key and what comes next to them will be looked at soon.
  void prefetch() const {
    const char* at = static_cast<const char*>(pointer());
    for (size_t line = 0; line < 4; ++line) __builtin_prefetch(at + 64 * line);
  }
  // The rest requires: !empty().
  std::string_view key() const { return newest()->key(); }
  const KvRecord* newest() const {
    return (bits_ & many_bit) != 0 ? versions()->list.back().get() : single();
  }
  const KvRecord* oldest() const {
    return (bits_ & many_bit) != 0 ? versions()->list[versions()->first].get() : single();
  }
  size_t size() const {
    return (bits_ & many_bit) != 0 ? versions()->list.size() - versions()->first : 1;
  }
  // The newest version at or below `revision`, tombstones included; null if there is none.
  const KvRecord* at(Revision revision) const {
    const KvRecord* last = newest();
    if (last->mod_revision() <= revision) return last;
    return (bits_ & many_bit) != 0 ? search(revision) : nullptr;
  }

  void push(KvRef version);
  void pop_newest();
  void pop_oldest();
  // Bytes beyond the pointer itself and the versions.
  size_t overhead_bytes() const;

 private:
  // Popped versions leave empty places in front, given back once they are half of the list: a key
  // with a hundred thousand versions is compacted in linear time.
  struct Versions {
    std::vector<KvRef> list;
    size_t first = 0;
    auto begin() const { return list.begin() + static_cast<std::ptrdiff_t>(first); }
    auto end() const { return list.end(); }
  };
  static constexpr uintptr_t many_bit = 1;
  static constexpr uintptr_t live_bit = 2;
  static constexpr uintptr_t mask = ~uintptr_t{3};

  void* pointer() const {
    return reinterpret_cast<void*>(bits_ & mask);  // NOLINT(performance-no-int-to-ptr): it was one
  }
  const KvRecord* single() const { return static_cast<const KvRecord*>(pointer()); }
  Versions* versions() const { return static_cast<Versions*>(pointer()); }
  const KvRecord* search(Revision revision) const;
  void set_single(const KvRecord* version);
  void shrink_to_single();
  void clear();

  uintptr_t bits_ = 0;
};

}  // namespace lattice::keyspace
