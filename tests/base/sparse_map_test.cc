#include "base/sparse_map.h"

#include <doctest/doctest.h>

#include "absl/container/flat_hash_map.h"

namespace lattice {
namespace {

TEST_CASE("A table that was large once becomes small again, and keeps what it holds") {
  constexpr int many = 100'000;
  absl::flat_hash_map<int, int> map;
  for (int i = 0; i < many; ++i) map[i] = -i;
  const size_t large = map.capacity();
  int shrunk = 0;
  for (int i = 10; i < many; ++i) {
    map.erase(i);
    const size_t before = map.capacity();
    shrink_if_sparse(map);
    if (map.capacity() < before) ++shrunk;
  }
  CHECK(map.capacity() <= 4096);
  CHECK(map.capacity() < large / 16);
  CHECK(shrunk <= 3);  // not with each that goes
  REQUIRE(map.size() == 10);
  for (int i = 0; i < 10; ++i) CHECK(map.at(i) == -i);
}

TEST_CASE("A small table is left alone") {
  absl::flat_hash_map<int, int> map;
  map.reserve(1000);
  const size_t before = map.capacity();
  map[1] = 1;
  shrink_if_sparse(map);
  CHECK(map.capacity() == before);
}

}  // namespace
}  // namespace lattice
