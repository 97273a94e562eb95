// The checks that decide whether a run counts.
#include <doctest/doctest.h>

#include "load/key_space.h"
#include "load/revision_ledger.h"

namespace lattice::load {
namespace {

TEST_CASE("the ledger accepts revisions in any order, each once") {
  RevisionLedger ledger;
  ledger.start(10);
  for (const int64_t revision : {12, 11, 13}) {
    ledger.sent();
    ledger.answered(revision);
  }
  CHECK(ledger.verdict(13).empty());
}

TEST_CASE("the ledger names what is wrong") {
  RevisionLedger ledger;
  ledger.start(10);
  ledger.sent();
  ledger.sent();
  ledger.answered(11);
  CHECK(ledger.verdict(12) == "1 writes were not answered");
  SUBCASE("a revision too many") {
    ledger.answered(12);
    CHECK(ledger.verdict(13) == "revision advanced by 3 for 2 writes");
  }
  SUBCASE("one revision for two writes") {
    ledger.answered(11);
    CHECK(ledger.verdict(12) == "some revisions were answered twice");
  }
}

TEST_CASE("a value is recognised, and only as its own key's") {
  const KeySpace keys("bench/", 100);
  CHECK(keys.key(1234) == "bench/0000001234");
  CHECK(keys.range_end() == "bench0");
  std::string value;
  keys.append_value(value, {1234, 5, 6});
  CHECK(value.size() == 100);
  CHECK(keys.matches("bench/0000001234", value, 1234));
  CHECK_FALSE(keys.matches("bench/0000001235", value, 1235));
  CHECK_FALSE(keys.matches("bench/0000001235", value, 1234));
  value.back() = static_cast<char>(value.back() + 1);
  CHECK_FALSE(keys.matches("bench/0000001234", value, 1234));
}

}  // namespace
}  // namespace lattice::load
