// The KV service through a real socket.
#include "server/running_server.h"

namespace lattice::server::testing {
namespace {

TEST_CASE("a put is there when it is answered, with its revision in every header") {
  RunningServer server;
  TestClient client(server.address());
  auto written = put(client, "k", "v");
  CHECK(written.header().revision() == 2);
  CHECK(written.header().cluster_id() != 0);
  CHECK(written.header().member_id() != 0);
  CHECK(written.header().raft_term() >= 2);
  auto found = get(client, "k");
  REQUIRE(found.kvs_size() == 1);
  CHECK(found.count() == 1);
  CHECK(found.kvs(0).value() == "v");
  CHECK(found.kvs(0).create_revision() == 2);
  CHECK(found.kvs(0).version() == 1);
  auto erased = erase(client, "k");
  CHECK(erased.deleted() == 1);
  CHECK(erased.header().revision() == 3);
  CHECK(erase(client, "k").header().revision() == 3);
  CHECK(get(client, "k").count() == 0);
  CHECK(server.stop() == 0);
}

TEST_CASE("a transaction compares, writes and reads, and answers as etcd does") {
  RunningServer server;
  TestClient client(server.address());
  etcdserverpb::TxnRequest txn;
  auto* compare = txn.add_compare();
  compare->set_target(etcdserverpb::Compare::CREATE);
  compare->set_key("k");
  compare->set_create_revision(0);
  auto* write = txn.add_success()->mutable_request_put();
  write->set_key("k");
  write->set_value("v");
  txn.add_success()->mutable_request_range()->set_key("k");
  txn.add_failure()->mutable_request_range()->set_key("k");
  const std::string path = "/etcdserverpb.KV/Txn";
  auto first = ask<etcdserverpb::TxnResponse>(client, path, txn);
  CHECK(first.succeeded());
  REQUIRE(first.responses_size() == 2);
  CHECK(first.responses(0).response_put().header().revision() == 2);
  CHECK(first.responses(1).response_range().kvs(0).value() == "v");
  auto second = ask<etcdserverpb::TxnResponse>(client, path, txn);
  CHECK_FALSE(second.succeeded());
  CHECK(second.header().revision() == 2);
  CHECK(second.responses(0).response_range().count() == 1);
}

TEST_CASE("refusals have etcd's codes and texts") {
  RunningServer server(test_config({{"listeners.grpc.max_request_bytes", "65536"}}));
  TestClient client(server.address());
  etcdserverpb::PutRequest write;
  CHECK(refusal(client, "/etcdserverpb.KV/Put", write) == "3 etcdserver: key is not provided");
  write.set_key("k");
  write.set_lease(77);
  CHECK(refusal(client, "/etcdserverpb.KV/Put", write) ==
        "5 etcdserver: requested lease not found");
  write.set_lease(0);
  write.set_value(std::string(65536, 'x'));
  CHECK(refusal(client, "/etcdserverpb.KV/Put", write) == "3 etcdserver: request is too large");
  write.clear_key();  // what is wrong with the request itself is said first
  CHECK(refusal(client, "/etcdserverpb.KV/Put", write) == "3 etcdserver: key is not provided");

  etcdserverpb::RangeRequest read;
  read.set_key("k");
  read.set_revision(99);
  CHECK(refusal(client, "/etcdserverpb.KV/Range", read) ==
        "11 etcdserver: mvcc: required revision is a future revision");
  CHECK(refusal(client, "/etcdserverpb.KV/Range", read, {{"client-api-version", "\xff\xfe"}}) ==
        "3 etcdserver: invalid client api version");
  CHECK(client.call("/etcdserverpb.KV/Put", "\x0a\x7f").grpc_status() == 13);
  CHECK(client.call("/etcdserverpb.Cluster/MemberAdd", "").grpc_status() == 12);
  CHECK(get(client, "k").count() == 0);  // the connection has not suffered
}

TEST_CASE("a compaction moves what can be read") {
  RunningServer server;
  TestClient client(server.address());
  for (int i = 0; i < 4; ++i) put(client, "k", std::to_string(i));
  etcdserverpb::CompactionRequest compact;
  compact.set_revision(4);
  compact.set_physical(true);
  auto done = ask<etcdserverpb::CompactionResponse>(client, "/etcdserverpb.KV/Compact", compact);
  CHECK(done.header().revision() == 5);
  CHECK(refusal(client, "/etcdserverpb.KV/Compact", compact) ==
        "11 etcdserver: mvcc: required revision has been compacted");
  etcdserverpb::RangeRequest read;
  read.set_key("k");
  read.set_revision(3);
  CHECK(refusal(client, "/etcdserverpb.KV/Range", read) ==
        "11 etcdserver: mvcc: required revision has been compacted");
  read.set_revision(4);
  auto found = ask<etcdserverpb::RangeResponse>(client, "/etcdserverpb.KV/Range", read);
  CHECK(found.kvs(0).value() == "2");
  CHECK(found.header().revision() == 5);
}

TEST_CASE("the pieces of a streamed range are the range, and only the last has a header") {
  RunningServer server;
  TestClient client(server.address());
  const std::string value(40'000, 'v');
  for (int i = 0; i < 60; ++i) put(client, "k" + std::to_string(100 + i), value);
  etcdserverpb::RangeRequest request;
  request.set_key("k");
  request.set_range_end("l");
  request.set_limit(50);
  auto answer = client.call("/etcdserverpb.KV/RangeStream", request.SerializeAsString());
  REQUIRE(answer.grpc_status() == 0);
  etcdserverpb::RangeResponse merged;
  const auto messages = answer.messages();
  REQUIRE(messages.size() > 2);
  for (size_t i = 0; i < messages.size(); ++i) {
    etcdserverpb::RangeStreamResponse piece;
    REQUIRE(piece.ParseFromString(messages[i]));
    REQUIRE(piece.has_range_response());
    CHECK(piece.range_response().has_header() == (i + 1 == messages.size()));
    merged.MergeFrom(piece.range_response());
  }
  auto whole = ask<etcdserverpb::RangeResponse>(client, "/etcdserverpb.KV/Range", request);
  CHECK(merged.SerializeAsString() == whole.SerializeAsString());
  CHECK(whole.count() == 60);
  CHECK(whole.more());

  request.set_sort_order(etcdserverpb::RangeRequest::DESCEND);
  CHECK(refusal(client, "/etcdserverpb.KV/RangeStream", request) ==
        "12 RangeStream does not support custom sort orders");
  request.clear_sort_order();
  request.set_max_mod_revision(3);
  CHECK(refusal(client, "/etcdserverpb.KV/RangeStream", request) ==
        "12 RangeStream does not support revision filters");
}

}  // namespace
}  // namespace lattice::server::testing
