#include "keyspace/key_node.h"

#include <algorithm>
#include <numeric>

namespace lattice::keyspace {
namespace {

// How many of the sorted heads are below `head`. Without branches that depend on the data.
size_t count_below(const uint64_t* heads, size_t count, uint64_t head) {
  const uint64_t* base = heads;
  while (count > 1) {
    const size_t half = count / 2;
    base += base[half - 1] < head ? half : 0;
    count -= half;
  }
  return static_cast<size_t>(base - heads) + (count == 1 && *base < head ? 1 : 0);
}

// The first place in [from, to) for which `is_before` is false; it is true for a leading part.
template <class IsBefore>
size_t partition(size_t from, size_t to, IsBefore is_before) {
  while (from < to) {
    const size_t middle = from + (to - from) / 2;
    if (is_before(middle)) {
      from = middle + 1;
    } else {
      to = middle;
    }
  }
  return from;
}

size_t end_of_equal(const KeyNode& node, size_t from, uint64_t head) {
  while (from < node.count && node.heads[from] == head) ++from;
  return from;
}

template <class Array>
void open_gap(Array* array, size_t at, size_t count) {
  const auto begin = array->begin();
  std::move_backward(begin + at, begin + count, begin + count + 1);
}
template <class Array>
void close_gap(Array* array, size_t at, size_t count) {
  const auto begin = array->begin();
  std::move(begin + at + 1, begin + count, begin + at);
}
template <class Array>
void move_part(Array* from, size_t at, size_t count, Array* to) {
  std::move(from->begin() + at, from->begin() + count, to->begin());
}

}  // namespace

size_t KeyBounds::common_prefix() const {
  if (!upper.has_value()) return 0;
  const size_t shorter = std::min(lower.size(), upper->size());
  size_t size = 0;
  while (size < shorter && lower[size] == (*upper)[size]) ++size;
  return size;
}

void KeyNodeDeleter::operator()(KeyNode* node) const {
  if (node->leaf) {
    std::default_delete<KeyLeaf>()(static_cast<KeyLeaf*>(node));
  } else {
    std::default_delete<KeyInner>()(static_cast<KeyInner*>(node));
  }
}

// ---- Leaves ----

size_t KeyLeaf::find_head(std::string_view key) const {
  return count_below(heads.data(), count, head_of(key));
}

size_t KeyLeaf::find(std::string_view key) const {
  const uint64_t head = head_of(key);
  const size_t from = count_below(heads.data(), count, head);
  return partition(from, end_of_equal(*this, from, head),
                   [&](size_t at) { return histories[at].key() < key; });
}

size_t KeyLeaf::find_equal(std::string_view key) const {
  const uint64_t head = head_of(key);
  size_t at = count_below(heads.data(), count, head);
  const size_t end = end_of_equal(*this, at, head);
  // Mostly one head is equal, and then one look at its key decides.
  if (end - at > 1) {
    at = partition(at, end, [&](size_t i) { return histories[i].key() < key; });
  }
  return at < end && histories[at].key() == key ? at : count;
}

void KeyLeaf::insert(size_t at, KeyHistory history) {
  open_gap(&heads, at, count);
  open_gap(&histories, at, count);
  heads[at] = head_of(history.key());
  histories[at] = std::move(history);
  ++count;
}

void KeyLeaf::erase(size_t at) {
  close_gap(&heads, at, count);
  close_gap(&histories, at, count);
  --count;
  histories[count] = KeyHistory();
}

void KeyLeaf::move_tail(size_t at, KeyLeaf* right) {
  move_part(&heads, at, count, &right->heads);
  move_part(&histories, at, count, &right->histories);
  right->prefix = prefix;
  right->count = static_cast<uint16_t>(count - at);
  count = static_cast<uint16_t>(at);
}

void KeyLeaf::set_bounds(const KeyBounds& bounds) {
  const size_t wanted = bounds.common_prefix();
  if (wanted == prefix) return;
  prefix = static_cast<uint32_t>(wanted);
  for (size_t i = 0; i < count; ++i) heads[i] = head_of(histories[i].key());
}

uint32_t KeyLeaf::count_live(size_t end) const {
  uint32_t live = 0;
  for (size_t i = 0; i < end; ++i) live += histories[i].live() ? 1 : 0;
  return live;
}

// ---- Inner nodes ----

int KeyInner::compare_prefix(std::string_view key) const {
  return key.substr(0, prefix).compare(std::string_view(fences[1]).substr(0, prefix));
}

size_t KeyInner::find(std::string_view key) const {
  if (prefix > assured) {
    const int order = compare_prefix(key);
    if (order != 0) return order < 0 ? 0 : count - 1u;
  }
  const uint64_t head = head_of(key);
  const size_t from = 1 + count_below(heads.data() + 1, count - 1u, head);
  return partition(from, end_of_equal(*this, from, head),
                   [&](size_t at) { return fences[at] <= key; }) -
         1;
}

void KeyInner::insert(size_t at, std::string fence, KeyNodeLink child) {
  open_gap(&heads, at, count);
  open_gap(&children, at, count);
  open_gap(&live, at, count);
  open_gap(&fences, at, count);
  live[at] = keyspace::count_live(*child);
  children[at] = std::move(child);
  fences[at] = std::move(fence);
  ++count;
  choose_prefix();
  if (at > 0) heads[at] = head_of(fences[at]);
}

void KeyInner::choose_prefix() {
  size_t wanted = assured;
  if (assured == 0 && count > 2) wanted = KeyBounds{fences[1], fences[count - 1u]}.common_prefix();
  if (wanted == prefix) return;
  prefix = static_cast<uint32_t>(wanted);
  for (size_t i = 1; i < count; ++i) heads[i] = head_of(fences[i]);
}

void KeyInner::erase(size_t at) {
  close_gap(&heads, at, count);
  close_gap(&children, at, count);
  close_gap(&live, at, count);
  close_gap(&fences, at, count);
  --count;
  children[count] = nullptr;
  fences[count].clear();
  choose_prefix();
}

void KeyInner::move_tail(size_t at, KeyInner* right) {
  move_part(&heads, at, count, &right->heads);
  move_part(&children, at, count, &right->children);
  move_part(&live, at, count, &right->live);
  move_part(&fences, at, count, &right->fences);
  right->prefix = prefix;
  right->assured = assured;
  right->count = static_cast<uint16_t>(count - at);
  count = static_cast<uint16_t>(at);
}

KeyBounds KeyInner::bounds_of(size_t child, const KeyBounds& own) const {
  KeyBounds bounds = own;
  if (child > 0) bounds.lower = fences[child];
  if (child + 1 < count) bounds.upper = fences[child + 1];
  return bounds;
}

void KeyInner::set_bounds(const KeyBounds& bounds) {
  assured = static_cast<uint32_t>(bounds.common_prefix());
  choose_prefix();
  // The outermost children share a bound with this node.
  set_bounds_of(0, bounds);
  set_bounds_of(count - 1u, bounds);
}

void KeyInner::set_bounds_of(size_t child, const KeyBounds& own) {
  KeyNode* node = children[child].get();
  if (node->leaf) {
    static_cast<KeyLeaf*>(node)->set_bounds(bounds_of(child, own));
  } else {
    static_cast<KeyInner*>(node)->set_bounds(bounds_of(child, own));
  }
}

uint32_t count_live(const KeyNode& node) {
  if (node.leaf) return static_cast<const KeyLeaf&>(node).count_live(node.count);
  const auto& inner = static_cast<const KeyInner&>(node);
  return std::accumulate(inner.live.begin(), inner.live.begin() + inner.count, uint32_t{0});
}

}  // namespace lattice::keyspace
