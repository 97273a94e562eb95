// Range with all its options and quirks (etcd-v3.md 1.2).
#include <doctest/doctest.h>

#include "keyspace/txn_builder.h"
#include "keyspace/workbench.h"

namespace lattice::keyspace {
namespace {

using Keys = std::vector<std::string>;

Keys keys_of(const RangeResult& result) {
  Keys keys;
  for (const KvRef& kv : result.kvs) keys.emplace_back(kv->key());
  return keys;
}

// k1..k4, where k1 was written last and k2 twice: revisions 2..7.
struct FourKeys : Workbench {
  FourKeys() {
    put("k4", "a");
    put("k3", "d");
    put("k2", "c");
    put("k2", "c");
    put("other", "x");
    put("k1", "b");
  }
  Result<RangeResult> ask(const RangeRequest& request) { return keyspace().range(request); }
};

TEST_CASE("an interval is half open and its keys come in order") {
  FourKeys bench;
  const RangeResult result = bench.range("k2", "k4");
  CHECK(keys_of(result) == Keys{"k2", "k3"});
  CHECK(result.count == 2);
  CHECK_FALSE(result.more);
}

TEST_CASE("an end of zero means every greater key") {
  FourKeys bench;
  const std::string zero(1, '\0');
  CHECK(keys_of(bench.range("k4", zero)) == Keys{"k4", "other"});
  CHECK(bench.range(zero, zero).count == 5);
}

TEST_CASE("an inverted or empty interval is no error") {
  FourKeys bench;
  for (const auto& result : {bench.range("k4", "k1"), bench.range("k1", "k1")}) {
    CHECK(result.kvs.empty());
    CHECK(result.count == 0);
  }
}

TEST_CASE("a missing key is a success with count 0") {
  FourKeys bench;
  CHECK(bench.range("nothing").count == 0);
}

TEST_CASE("the header names the newest revision, whichever was asked for") {
  FourKeys bench;
  RangeRequest request = range("k2");
  request.revision = Revision(4);
  const RangeResult result = *bench.ask(request);
  CHECK(result.header_revision == Revision(7));
  CHECK(result.kvs.at(0)->version() == 1);
}

TEST_CASE("revisions: zero and negative are the newest, beyond is the future") {
  FourKeys bench;
  RangeRequest request = range("k1");
  request.revision = Revision(-5);
  CHECK(bench.ask(request)->count == 1);
  request.revision = Revision(6);
  CHECK(bench.ask(request)->count == 0);
  request.revision = Revision(8);
  CHECK(bench.ask(request).error() == Error::future_revision);
}

TEST_CASE("the compact revision itself can be read, what is older cannot") {
  FourKeys bench;
  bench.compact(Revision(5));
  RangeRequest request = range("k2");
  request.revision = Revision(5);
  CHECK(bench.ask(request)->kvs.at(0)->version() == 2);
  request.revision = Revision(4);
  CHECK(bench.ask(request).error() == Error::compacted);
}

TEST_CASE("the count ignores the limit and the filters") {
  FourKeys bench;
  RangeRequest request = range("k", "l");
  request.limit = 2;
  RangeResult result = *bench.ask(request);
  CHECK(keys_of(result) == Keys{"k1", "k2"});
  CHECK(result.count == 4);
  CHECK(result.more);
  request.min_mod_revision = Revision(5);
  result = *bench.ask(request);
  CHECK(keys_of(result) == Keys{"k1", "k2"});
  CHECK(result.count == 4);
  CHECK_FALSE(result.more);
}

TEST_CASE("a limit that is not exceeded leaves nothing more") {
  FourKeys bench;
  RangeRequest request = range("k", "l");
  request.limit = 4;
  CHECK_FALSE(bench.ask(request)->more);
  request.limit = -1;
  CHECK(bench.ask(request)->kvs.size() == 4);
}

TEST_CASE("count only ignores limit and filters") {
  FourKeys bench;
  RangeRequest request = range("k", "l");
  request.count_only = true;
  request.limit = 1;
  request.max_mod_revision = Revision(3);
  const RangeResult result = *bench.ask(request);
  CHECK(result.count == 4);
  CHECK(result.kvs.empty());
  CHECK_FALSE(result.more);
}

TEST_CASE("an older count looks at what has changed since") {
  FourKeys bench;
  bench.remove("k3");
  bench.remove("k4");
  bench.put("k5", "");
  RangeRequest request = range("k", "l");
  request.count_only = true;
  const auto count_at = [&](int64_t revision) {
    request.revision = Revision(revision);
    return bench.ask(request)->count;
  };
  CHECK(count_at(10) == 3);
  CHECK(count_at(9) == 2);
  CHECK(count_at(8) == 3);
  CHECK(count_at(7) == 4);
  CHECK(count_at(3) == 2);
  CHECK(count_at(1) == 0);
}

TEST_CASE("sorted by every target, both ways") {
  FourKeys bench;
  RangeRequest request = range("k", "l");
  const auto sorted = [&](SortTarget target, SortOrder order) {
    request.sort_target = target;
    request.sort_order = order;
    return keys_of(*bench.ask(request));
  };
  CHECK(sorted(SortTarget::key, SortOrder::descend) == Keys{"k4", "k3", "k2", "k1"});
  CHECK(sorted(SortTarget::mod, SortOrder::ascend) == Keys{"k4", "k3", "k2", "k1"});
  CHECK(sorted(SortTarget::create, SortOrder::descend) == Keys{"k1", "k2", "k3", "k4"});
  CHECK(sorted(SortTarget::value, SortOrder::ascend) == Keys{"k4", "k1", "k2", "k3"});
  CHECK(sorted(SortTarget::version, SortOrder::descend) == Keys{"k2", "k1", "k3", "k4"});
}

TEST_CASE("a limit with an order cuts after sorting") {
  FourKeys bench;
  RangeRequest request = range("k", "l");
  request.sort_target = SortTarget::mod;
  request.sort_order = SortOrder::descend;
  request.limit = 1;
  const RangeResult result = *bench.ask(request);
  CHECK(keys_of(result) == Keys{"k1"});
  CHECK(result.more);
  CHECK(result.count == 4);
}

TEST_CASE("a target without an order sorts what the limit had already cut") {
  FourKeys bench;
  RangeRequest request = range("k", "l");
  request.sort_target = SortTarget::mod;
  request.limit = 2;
  // k1, k2 and k3 are fetched; by revision they are k3, k2, k1.
  CHECK(keys_of(*bench.ask(request)) == Keys{"k3", "k2"});
}

TEST_CASE("filters include their bounds") {
  FourKeys bench;
  RangeRequest request = range("k", "l");
  request.min_mod_revision = Revision(3);
  request.max_mod_revision = Revision(5);
  CHECK(keys_of(*bench.ask(request)) == Keys{"k2", "k3"});
  request.max_create_revision = Revision(3);
  CHECK(keys_of(*bench.ask(request)) == Keys{"k3"});
  request.min_create_revision = Revision(4);
  CHECK(bench.ask(request)->kvs.empty());
}

TEST_CASE("keys-only is told to whoever encodes the answer") {
  FourKeys bench;
  RangeRequest request = range("k1");
  request.keys_only = true;
  CHECK(bench.ask(request)->keys_only);
  CHECK_FALSE(bench.ask(request)->keys_only_with_lease);
  request.sort_target = SortTarget::value;
  CHECK(bench.ask(request)->keys_only_with_lease);
}

TEST_CASE("results stay as they are when the keyspace goes on") {
  FourKeys bench;
  const RangeResult before = bench.range("k", "l");
  bench.remove("k", "l");
  bench.compact(Revision(8));
  CHECK(keys_of(before) == Keys{"k1", "k2", "k3", "k4"});
  CHECK(before.kvs[3]->value() == "a");
}

}  // namespace
}  // namespace lattice::keyspace
