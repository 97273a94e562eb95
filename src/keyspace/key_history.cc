#include "keyspace/key_history.h"

#include <algorithm>
#include <memory>

namespace lattice::keyspace {

const KvRecord* KeyHistory::search(Revision revision) const {
  const Versions& all = *versions();
  auto after = std::upper_bound(
      all.begin(), all.end(), revision,
      [](Revision wanted, const KvRef& version) { return wanted < version->mod_revision(); });
  return after == all.begin() ? nullptr : std::prev(after)->get();
}

void KeyHistory::set_single(const KvRecord* version) {
  bits_ = reinterpret_cast<uintptr_t>(version) | (version->tombstone() ? 0 : live_bit);
}

void KeyHistory::push(KvRef version) {
  if (bits_ == 0) {
    version->retain();
    set_single(version.get());
    return;
  }
  if ((bits_ & many_bit) == 0) {
    auto many = std::make_unique<Versions>();
    many->list.reserve(2);
    // The count that the pointer held becomes the vector's.
    many->list.push_back(KvRef::adopt(single()));
    bits_ = reinterpret_cast<uintptr_t>(many.release()) | many_bit;
  }
  const bool live = !version->tombstone();
  versions()->list.push_back(std::move(version));
  bits_ = (bits_ & ~live_bit) | (live ? live_bit : 0);
}

void KeyHistory::pop_newest() {
  if ((bits_ & many_bit) == 0) return clear();
  versions()->list.pop_back();
  bits_ = (bits_ & ~live_bit) | (newest()->tombstone() ? 0 : live_bit);
  if (size() == 1) shrink_to_single();
}

void KeyHistory::pop_oldest() {
  if ((bits_ & many_bit) == 0) return clear();
  Versions& all = *versions();
  all.list[all.first++] = KvRef();
  if (size() == 1) return shrink_to_single();
  if (all.first * 2 < all.list.size()) return;
  all.list.erase(all.list.begin(), all.begin());
  all.first = 0;
}

void KeyHistory::shrink_to_single() {
  std::unique_ptr<Versions> many(versions());
  const KvRecord* last = many->list.back().get();
  last->retain();
  set_single(last);
}

void KeyHistory::clear() {
  if ((bits_ & many_bit) != 0) {
    std::unique_ptr<Versions> gone(versions());
  } else {
    single()->release();
  }
  bits_ = 0;
}

size_t KeyHistory::overhead_bytes() const {
  if ((bits_ & many_bit) == 0) return 0;
  return sizeof(Versions) + versions()->list.capacity() * sizeof(KvRef);
}

}  // namespace lattice::keyspace
