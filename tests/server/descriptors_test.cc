#include "server/descriptors.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace lattice::server {
namespace {

uint64_t table_size() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    uint64_t size = 0;
    if (word == "FDSize:" && status >> size) return size;
  }
  return 0;
}

TEST_CASE("Room for descriptors is there before they are") {
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const uint64_t wanted = std::min<uint64_t>(limit.rlim_cur, 2 * table_size() + 1);
  make_room_for_descriptors(static_cast<int64_t>(wanted));
  CHECK(table_size() >= wanted);
}

}  // namespace
}  // namespace lattice::server
