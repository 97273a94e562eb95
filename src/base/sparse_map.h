// Hash tables that were large once. Abseil's do not shrink, and each thing that comes into a large
// and nearly empty one meets memory that no cache has: behind a hundred thousand watches that lived
// for a moment, new ones cost half as much again, for ever.
#pragma once

#include <cstddef>

namespace lattice {

// Behind an erase. Iterators and references are invalid then; what it costs is paid by those who
// have made the table so large.
template <class Map>
void shrink_if_sparse(Map& map) {
  constexpr size_t capacity_kept = 4096;
  constexpr size_t sparse_part = 16;
  if (map.capacity() > capacity_kept && map.size() < map.capacity() / sparse_part) map.rehash(0);
}

}  // namespace lattice
