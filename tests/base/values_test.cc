// The small value types: Status, Result, typed integers, time.
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "base/ids.h"
#include "base/status.h"
#include "base/string_hash.h"
#include "base/time.h"

namespace lattice {
namespace {

TEST_CASE("a Status is ok until it has an error, and equality ignores the detail") {
  CHECK(Status().ok());
  const Status status(Error::compacted, "at 7");
  CHECK_FALSE(status.ok());
  CHECK(status.detail() == "at 7");
  CHECK(status == Error::compacted);
}

TEST_CASE("a Result holds a value or the reason why not") {
  Result<std::unique_ptr<int>> value(std::make_unique<int>(3));
  REQUIRE(value.ok());
  CHECK(value.error() == Error::ok);
  CHECK(**value == 3);
  const Result<std::string> none(Error::key_not_found);
  CHECK_FALSE(none.ok());
  CHECK(none.status() == Error::key_not_found);
}

TEST_CASE("typed integers count, compare and hash") {
  Revision revision(4);
  ++revision;
  CHECK(revision == Revision(5));
  CHECK(revision + 2 > Revision(6));
  CHECK(revision - Revision(2) == 3);
  absl::flat_hash_map<LeaseId, int> map{{LeaseId(-1), 7}};
  CHECK(map.at(LeaseId(-1)) == 7);
  static_assert(!std::is_convertible_v<Revision, LeaseId>);
  static_assert(!std::is_convertible_v<int64_t, Revision>);
}

TEST_CASE("positions differ when their digests do") {
  Position a{Seq(1), {}};
  Position b = a;
  CHECK(a == b);
  b.digest[31] = 1;
  CHECK_FALSE(a == b);
}

TEST_CASE("instants and durations") {
  const Instant start{100};
  CHECK(start + Duration(5) == Instant{105});
  CHECK(start - Duration(5) < start);
  CHECK(Instant{105} - start == Duration(5));
  CHECK(Instant::never() > start);
}

TEST_CASE("maps of strings are asked with views") {
  absl::flat_hash_map<std::string, int, StringHash, StringEqual> map;
  map["key"] = 1;
  CHECK(map.contains(std::string_view("a key").substr(2)));
  CHECK_FALSE(map.contains(std::string_view("ke")));
}

}  // namespace
}  // namespace lattice
