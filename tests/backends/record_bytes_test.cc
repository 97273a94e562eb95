#include "replica/record_bytes.h"

#include <doctest/doctest.h>

#include <cstdio>

#include "backends/log_world.h"

namespace lattice::backends {
namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  char two[3];
  for (const char byte : bytes) {
    std::snprintf(two, sizeof(two), "%02x", static_cast<unsigned char>(byte));
    out += two;
  }
  return out;
}

TEST_CASE("record bytes: the layout of docs/log-format.md") {
  keyspace::Record record = put_record(5, "key", "value");
  record.sub = 1;
  record.create_revision = Revision(4);
  record.version = 2;
  record.lease = LeaseId(-1);
  std::string bytes;
  replica::append_record_bytes(record, &bytes);
  CHECK(hex(bytes) ==
        "01"
        "0000000000000005"
        "00000001"
        "0000000000000004"
        "0000000000000002"
        "ffffffffffffffff"
        "0000000000000000"
        "00000003"
        "00000005"
        "6b6579"
        "76616c7565");
}

TEST_CASE("record bytes: what was written is read back") {
  std::string bytes;
  const auto put = put_record(9, std::string(70'000, 'k'), std::string(100'000, 'v'));
  const auto takeover = takeover_record(3, 7, incarnation_of(9));
  replica::append_record_bytes(put, &bytes);
  replica::append_record_bytes(takeover, &bytes);
  std::string_view rest = bytes;
  auto first = replica::take_record_bytes(&rest);
  REQUIRE(first.ok());
  CHECK(first->key == put.key);
  CHECK(first->value == put.value);
  auto second = replica::take_record_bytes(&rest);
  REQUIRE(second.ok());
  CHECK(second->number == 7);
  CHECK(rest.empty());
}

TEST_CASE("record bytes: every truncation is refused") {
  std::string bytes;
  replica::append_record_bytes(put_record(5, "key", "value"), &bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    std::string_view cut(bytes.data(), size);
    CHECK(replica::take_record_bytes(&cut).error() == Error::backend_corrupt);
  }
}

TEST_CASE("record bytes: records that Lattice never writes are refused") {
  const auto refused = [](keyspace::Record record) {
    return replica::validate_record(record).error() == Error::backend_corrupt;
  };
  CHECK(replica::validate_record(put_record(5, "k", "")).ok());
  CHECK(refused(put_record(5, "", "v")));
  auto record = put_record(5, "k", "v");
  record.create_revision = Revision(6);
  CHECK(refused(record));
  record = put_record(5, "k", "v");
  record.version = 0;
  CHECK(refused(record));
  record = put_record(-1, "k", "v");
  CHECK(refused(record));
  record = put_record(5, "k", "v");
  record.kind = static_cast<keyspace::RecordKind>(99);
  CHECK(refused(record));
  record = takeover_record(1, 1, incarnation_of(1));
  record.value = Bytes::literal("short");
  CHECK(refused(record));
}

TEST_CASE("digest: known answer, and every field counts") {
  replica::LogId log{};
  log[0] = 1;
  replica::BatchHeader header;
  header.seq = Seq(1);
  header.record_count = 1;
  const std::vector<keyspace::Record> records = {put_record(2, "k", "v")};
  const Digest digest = compute_digest(log, header, records);
  // Computed independently: hashlib.sha256 over the documented layout.
  CHECK(hex({reinterpret_cast<const char*>(digest.data()), digest.size()}) ==
        "d67a9eb3c3096faf41984a3e98f2210288d13fc01109c9548f2991045ce27457");

  const auto differs = [&](auto change) {
    replica::LogId other_log = log;
    replica::BatchHeader other = header;
    std::vector<keyspace::Record> other_records = records;
    change(other_log, other, other_records);
    return compute_digest(other_log, other, other_records) != digest;
  };
  CHECK(differs([](auto& id, auto&, auto&) { id[15] = 1; }));
  CHECK(differs([](auto&, auto& h, auto&) { h.seq = Seq(2); }));
  CHECK(differs([](auto&, auto& h, auto&) { h.previous[0] = 1; }));
  CHECK(differs([](auto&, auto& h, auto&) { h.epoch = Epoch(1); }));
  CHECK(differs([](auto&, auto& h, auto&) { h.incarnation[0] = 1; }));
  CHECK(differs([](auto&, auto& h, auto&) { h.id[0] = 1; }));
  CHECK(differs([](auto&, auto& h, auto&) { h.last_revision = Revision(1); }));
  CHECK(differs([](auto&, auto& h, auto&) { h.record_count = 2; }));
  CHECK(differs([](auto&, auto&, auto& r) { r[0].value = Bytes::literal("w"); }));
  CHECK(differs([](auto&, auto&, auto& r) { r[0].key = Bytes::literal("kv"); }));
}

}  // namespace
}  // namespace lattice::backends
