#include "keyspace/key_index.h"

namespace lattice::keyspace {

void KeyIndex::pop_newest(std::string_view key) {
  auto at = set_.find(key);
  if (at->size() == 1) {
    set_.erase(at);
  } else {
    const_cast<KeyHistory&>(*at).pop_newest();
  }
}

void KeyIndex::pop_oldest(std::string_view key) {
  auto at = set_.find(key);
  if (at->size() == 1) {
    set_.erase(at);
  } else {
    const_cast<KeyHistory&>(*at).pop_oldest();
  }
}

int64_t KeyIndex::count_live(const Interval& interval) const {
  int64_t count = 0;
  for (Cursor at = lower_bound(interval.begin); at.valid() && interval.before_end(at->key());
       at.next()) {
    count += at->live() ? 1 : 0;
  }
  return count;
}

}  // namespace lattice::keyspace
