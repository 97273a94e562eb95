// The loader's hand-written codec against the generated one.
#include "load/etcd_messages.h"

#include <doctest/doctest.h>

#include <vector>

#include "proto/rpc.pb.h"

namespace lattice::load {
namespace {

namespace pb = etcdserverpb;

// The message of a gRPC frame that must fill the buffer.
template <class Message>
Message unframed(const std::string& frame) {
  REQUIRE(frame.size() >= 5);
  size_t length = 0;
  for (size_t i = 1; i < 5; ++i) length = length << 8 | static_cast<uint8_t>(frame[i]);
  CHECK(frame[0] == 0);
  REQUIRE(length == frame.size() - 5);
  Message message;
  REQUIRE(message.ParseFromString(frame.substr(5)));
  return message;
}

TEST_CASE("requests are what protobuf would have written") {
  std::string frame;
  SUBCASE("put") {
    encode_put(frame, "k", std::string(300, 'v'));
    const auto put = unframed<pb::PutRequest>(frame);
    CHECK(put.key() == "k");
    CHECK(put.value() == std::string(300, 'v'));
  }
  SUBCASE("range") {
    encode_range(frame, "a", "b", 7);
    const auto range = unframed<pb::RangeRequest>(frame);
    CHECK(range.key() == "a");
    CHECK(range.range_end() == "b");
    CHECK(range.limit() == 7);
    CHECK_FALSE(range.serializable());
  }
  SUBCASE("transaction of puts") {
    TxnOfPuts txn;
    txn.add("k1", "v1");
    txn.add("k2", std::string(200, 'x'));
    txn.finish(frame);
    const auto message = unframed<pb::TxnRequest>(frame);
    REQUIRE(message.success_size() == 2);
    CHECK(message.success(0).request_put().key() == "k1");
    CHECK(message.success(1).request_put().value() == std::string(200, 'x'));
  }
  SUBCASE("update of an absent key") {
    encode_update(frame, "k", "v", 0);
    const auto message = unframed<pb::TxnRequest>(frame);
    REQUIRE(message.compare_size() == 1);
    CHECK(message.compare(0).target() == pb::Compare::MOD);
    CHECK(message.compare(0).result() == pb::Compare::EQUAL);
    CHECK(message.compare(0).target_union_case() == pb::Compare::kModRevision);
    CHECK(message.success(0).request_put().value() == "v");
    CHECK(message.failure(0).request_range().key() == "k");
  }
  SUBCASE("watch") {
    encode_watch_create(frame, "w");
    CHECK(unframed<pb::WatchRequest>(frame).create_request().key() == "w");
  }
  SUBCASE("lease") {
    encode_lease_grant(frame, 7, 300);
    const auto grant = unframed<pb::LeaseGrantRequest>(frame);
    CHECK(grant.id() == 7);
    CHECK(grant.ttl() == 300);
  }
}

TEST_CASE("a range answer is read in full") {
  pb::RangeResponse response;
  response.mutable_header()->set_cluster_id(~uint64_t{0});
  response.mutable_header()->set_revision(42);
  for (int i = 0; i < 3; ++i) {
    auto* kv = response.add_kvs();
    kv->set_key("k" + std::to_string(i));
    kv->set_mod_revision(10 + i);
    kv->set_value(std::string(150, 'v'));
  }
  response.set_count(9);
  response.set_more(true);
  RangeAnswer answer;
  std::vector<int64_t> revisions;
  REQUIRE(decode_range(response.SerializeAsString(), answer, [&](uint64_t, std::string_view bytes) {
    KeyValue kv;
    CHECK(decode_key_value(bytes, kv));
    CHECK(kv.value.size() == 150);
    revisions.push_back(kv.mod_revision);
  }));
  CHECK(answer.revision == 42);
  CHECK(answer.count == 9);
  CHECK(answer.more);
  CHECK(revisions == std::vector<int64_t>{10, 11, 12});
}

TEST_CASE("a watch answer names its watch before its events") {
  pb::WatchResponse response;
  response.set_watch_id(5);
  auto* event = response.add_events();
  event->set_type(mvccpb::Event::DELETE);
  event->mutable_kv()->set_key("k");
  WatchAnswer answer;
  int64_t id_at_event = -1;
  uint64_t type_seen = 0;
  REQUIRE(decode_watch(response.SerializeAsString(), answer, [&](uint64_t type, std::string_view) {
    id_at_event = answer.watch_id;
    type_seen = type;
  }));
  CHECK(id_at_event == 5);
  CHECK(type_seen == 1);
  CHECK(answer.events == 1);
}

TEST_CASE("a truncated answer does not decode") {
  pb::RangeResponse response;
  response.mutable_header()->set_revision(42);
  const std::string bytes = response.SerializeAsString();
  RangeAnswer answer;
  CHECK_FALSE(decode_range(std::string_view(bytes).substr(0, bytes.size() - 1), answer,
                           [](uint64_t, std::string_view) {}));
}

}  // namespace
}  // namespace lattice::load
