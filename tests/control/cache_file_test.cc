// The cache on disk: what is written is read again, and nothing else is.
#include "control/cache_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <iterator>

#include "backends/temp_folder.h"

namespace lattice::control {
namespace {

CacheFile example() {
  CacheFile file;
  file.boot_id = "11111111-2222";
  file.saved.origin = {UINT64_MAX, 12};
  file.saved.proved_at = Instant{34};
  file.saved.versions = {{"/clustor/v1/tenants/a", "{\n1 2 3\n}", 5, false},
                         {"/clustor/v1/tenants/b", std::string("\0\n", 2), 6, false},
                         {"/clustor/v1/tenants/c", "", 7, false}};
  return file;
}

TEST_CASE("what is encoded is decoded") {
  const Result<CacheFile> read = decode(encode(example()));
  REQUIRE(read.ok());
  CHECK(read->boot_id == "11111111-2222");
  CHECK(read->saved.origin.cluster_id == UINT64_MAX);
  CHECK(read->saved.origin.revision == 12);
  CHECK(read->saved.proved_at == Instant{34});
  REQUIRE(read->saved.versions.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(read->saved.versions[i].key == example().saved.versions[i].key);
    CHECK(read->saved.versions[i].value == example().saved.versions[i].value);
    CHECK(read->saved.versions[i].revision == example().saved.versions[i].revision);
  }
  CHECK(encode(example()).starts_with("Lattice's control-plane cache"));
}

TEST_CASE("no part of it and no change of a byte is taken for it") {
  const std::string whole = encode(example());
  for (size_t size = 0; size < whole.size(); ++size)
    CHECK_FALSE(decode(whole.substr(0, size)).ok());
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK_FALSE(decode(changed).ok());
  }
  CHECK_FALSE(decode(whole + "x").ok());
}

TEST_CASE("a file is replaced as a whole, in a folder that is made, for its owner only") {
  const backends::TempFolder folder;
  const std::string path = folder.path() + "/deeper/cache";
  CHECK(*read_whole(path) == "");
  REQUIRE(replace_file(path, "one").ok());
  REQUIRE(replace_file(path, "three").ok());
  CHECK(*read_whole(path) == "three");
  const auto files = std::filesystem::directory_iterator(folder.path() + "/deeper");
  CHECK(std::distance(begin(files), end(files)) == 1);
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(replace_file("/proc/no/such/cache", "one").error() == Error::io);
}

TEST_CASE("this boot has a name") { CHECK(boot_id().size() == 36); }

}  // namespace
}  // namespace lattice::control
